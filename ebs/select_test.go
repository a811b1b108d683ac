package ebs

import (
	"slices"
	"testing"
)

func TestSelect(t *testing.T) {
	devs := []Device{
		{VolumeID: "vol-0a", Path: "/dev/nvme1n1", RequestedName: "/dev/sdf"},
		{VolumeID: "vol-0b", Path: "/dev/nvme2n1", RequestedName: "/dev/sdg"},
		{VolumeID: "vol-0c", Path: "/dev/nvme3n1"},
		{VolumeID: "vol-0d", Path: "/dev/nvme4n1"},
		{VolumeID: "vol-0d", Path: "/dev/nvme5n1"},
	}
	for name, tt := range map[string]struct {
		ids, names, found, missing []string
		err                        string
	}{
		"in the asked order":     {ids: []string{"vol-0c", "vol-0a"}, found: []string{"vol-0c", "vol-0a"}},
		"by either form of name": {names: []string{"sdg", "/dev/sdf"}, found: []string{"vol-0b", "vol-0a"}},
		"some missing":           {ids: []string{"vol-0e", "vol-0b"}, names: []string{"/dev/sdh"}, found: []string{"vol-0b"}, missing: []string{"vol-0e", "/dev/sdh"}},
		"nothing asked":          {},
		"an id on two devices":   {ids: []string{"vol-0d"}, err: "vol-0d is 2 devices at once: /dev/nvme4n1 (vol-0d), /dev/nvme5n1 (vol-0d)"},
		"twice the same id":      {ids: []string{"vol-0a", "vol-0a"}, err: "vol-0a (/dev/nvme1n1) is asked for twice"},
		"id and name of one":     {ids: []string{"vol-0a"}, names: []string{"sdf"}, err: "vol-0a (/dev/nvme1n1) is asked for twice"},
	} {
		t.Run(name, func(t *testing.T) {
			got, missing, err := Select(devs, tt.ids, tt.names)
			if tt.err != "" {
				wantError(t, err, tt.err)
				return
			}
			var found []string
			for _, d := range got {
				found = append(found, d.VolumeID)
			}
			if err != nil || !slices.Equal(found, tt.found) || !slices.Equal(missing, tt.missing) {
				t.Errorf("Select() = %v, %v, %v; want %v, %v", found, missing, err, tt.found, tt.missing)
			}
		})
	}
}
