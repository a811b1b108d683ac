package ebs

import (
	"errors"
	"slices"
	"testing"
)

func TestChoose(t *testing.T) {
	h := sysfs(t, map[string]disk{
		"nvme1n1": ebsDisk("vol0000000a", "259:1", "1"), "nvme2n1": ebsDisk("vol0000000b", "259:2", "2"), "nvme3n1": ebsDisk("vol0000000c", "259:3", "3"),
		"nvme4n1": ebsDisk("vol0000000d", "259:4", "4"), "nvme5n1": ebsDisk("vol0000000d", "259:5", "5"),
		"nvme6n1": ebsDisk("vol0000000a", "259:6", "6").with("hidden", "1\n"),
		"nvme7n1": {"device/serial": "vol0000000e"}, // all else of it would fail
		"nvme8n1": ebsDisk("AWS22D9F5E6F2E1C6AEB", "259:8", "8").with("device/model", instanceStore),
	})
	asked := 0
	h.Identify = func(path string) ([]byte, error) {
		asked++
		name, called := map[string]string{"/dev/nvme1n1": "sdf", "/dev/nvme2n1": "/dev/sdg", "/dev/nvme3n1": ""}[path]
		if !called {
			return nil, errors.New("Inappropriate ioctl for device")
		}
		return identifyPage(vendorAmazon, name), nil
	}
	for name, tt := range map[string]struct {
		ids, names, found, missing []string
		conflict                   string
	}{
		"in the asked order":     {ids: []string{"vol-0000000c", "vol-0000000a"}, found: []string{"vol-0000000c", "vol-0000000a"}},
		"by either form of name": {names: []string{"sdg", "/dev/sdf"}, found: []string{"vol-0000000b", "vol-0000000a"}},
		"some missing":           {ids: []string{"vol-0000000f", "vol-0000000b"}, names: []string{"/dev/sdh"}, found: []string{"vol-0000000b"}, missing: []string{"vol-0000000f", "/dev/sdh"}},
		"gone while it is read":  {ids: []string{"vol-0000000e"}, missing: []string{"vol-0000000e"}},
		"nothing asked":          {},
		"an id on two devices":   {ids: []string{"vol-0000000d"}, conflict: "vol-0000000d is 2 devices at once: /dev/nvme4n1 (vol-0000000d), /dev/nvme5n1 (vol-0000000d)"},
		"twice the same id":      {ids: []string{"vol-0000000a", "vol-0000000a"}, conflict: "vol-0000000a (/dev/nvme1n1) is asked for twice"},
		"id and name of one":     {ids: []string{"vol-0000000a"}, names: []string{"sdf"}, conflict: "vol-0000000a (/dev/nvme1n1) is asked for twice"},
	} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			got, err := h.Choose(tt.ids, tt.names)
			if err != nil {
				t.Fatal(err)
			}
			if tt.conflict != "" {
				wantError(t, got.Conflict, tt.conflict)
				return
			}
			var found []string
			for _, d := range got.Devices {
				found = append(found, d.VolumeID)
			}
			if got.Conflict != nil || !slices.Equal(found, tt.found) || !slices.Equal(got.Missing, tt.missing) {
				t.Errorf("Choose() = %+v; want %v, and missing %v", got, tt.found, tt.missing)
			}
			if tt.names == nil && asked > 0 {
				t.Errorf("%d devices were asked for names that nobody wants", asked)
			}
			if tt.names != nil && tt.missing != nil {
				wantError(t, got.Nameless, "vol-0000000d (/dev/nvme4n1) does not tell which device name it was attached under: cannot ask /dev/nvme4n1 for its device name: Inappropriate ioctl")
			} else if got.Nameless != nil {
				t.Errorf("all are found, and yet: %v", got.Nameless)
			}
		})
	}
}
