package launch

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func seedIn(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSeed(t *testing.T) {
	const doc = "#bootswain\nversion: 1\n"
	linked := seedIn(t, nil)
	if err := os.Symlink("/etc/shadow", filepath.Join(linked, "user-data")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, dir string
		want      Data
		fail      string
	}{
		{"whole", seedIn(t, map[string]string{"user-data": doc, "meta-data": "instance-id: iid-1\nlocal-hostname: x\npublic-keys: [ssh-ed25519 AAAA a, ' ']\n"}),
			Data{Given: true, UserData: []byte(doc), InstanceID: "iid-1", PublicKeys: []string{"ssh-ed25519 AAAA a"}}, ""},
		{"keys as EC2 has them", seedIn(t, map[string]string{"user-data": doc, "meta-data": `{"instance-id": "iid-2", "public-keys": {"b": {"openssh-key": "B"}, "a": {"openssh-key": "A"}}}`}),
			Data{Given: true, UserData: []byte(doc), InstanceID: "iid-2", PublicKeys: []string{"B", "A"}}, ""},
		{"keys in a text", seedIn(t, map[string]string{"meta-data": "public-keys: |\n  A\n  B\n"}), Data{PublicKeys: []string{"A", "B"}}, ""},
		{"none given", seedIn(t, map[string]string{"meta-data": "instance-id: iid-1\n"}), Data{InstanceID: "iid-1"}, ""},
		{"empty", seedIn(t, map[string]string{"user-data": "", "meta-data": ""}), Data{Given: true, UserData: []byte{}}, ""},
		{"no meta-data", seedIn(t, map[string]string{"user-data": doc}), Data{Given: true, UserData: []byte(doc)}, ""},
		{"no seed", seedIn(t, map[string]string{"other": ""}), Data{}, "holds neither user-data nor meta-data: it is no NoCloud seed"},
		{"nothing", "/nonexistent/seed", Data{}, "there is no /nonexistent/seed"},
		{"device of another kind", "/dev/null", Data{}, "/dev/null is neither a directory nor a disk"},
		{"out of the seed", linked, Data{}, "user-data of the seed: "},
		{"broken", seedIn(t, map[string]string{"meta-data": "instance-id: [\n"}), Data{}, "meta-data of the seed: yaml: "},
		{"keys of another kind", seedIn(t, map[string]string{"meta-data": "public-keys: [[x]]\n"}), Data{}, "meta-data of the seed: public-keys is neither a list nor a mapping"},
		{"too long", seedIn(t, map[string]string{"user-data": strings.Repeat("#", maxUserData+1)}), Data{}, "user-data of the seed is longer than 1048576 bytes"},
	}
	for _, tt := range tests {
		d, err := Fetch(t.Context(), Source{NoCloud: tt.dir})
		if tt.fail != "" {
			var u *Unread
			if !errors.As(err, &u) || !strings.HasPrefix(err.Error(), "cannot read launch data: ") || !strings.Contains(err.Error(), tt.fail) || !reflect.DeepEqual(d, Data{}) {
				t.Errorf("%s: %+v, %v, want %s", tt.name, d, err, tt.fail)
			}
			continue
		}
		if d.FetchedAt = (time.Time{}); err != nil || !reflect.DeepEqual(d, tt.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", tt.name, d, err, tt.want)
		}
	}
}

var seeds = flag.Int("seeds", 0, "how many disks of this machine hold a NoCloud seed")

// TestSeedOnRealDisks reads every disk of a machine that has nothing else, twice.
func TestSeedOnRealDisks(t *testing.T) {
	if *seeds == 0 {
		t.Skip("for a machine whose disks are seeds")
	}
	disks, err := filepath.Glob("/dev/nvme*n1")
	if err != nil || len(disks) != *seeds {
		t.Fatalf("disks %q, %v", disks, err)
	}
	for _, disk := range append(disks, disks...) {
		d, err := Fetch(t.Context(), Source{NoCloud: disk})
		if err != nil || string(d.UserData) != "#bootswain\nversion: 1\n" || d.InstanceID != "iid-1" || len(d.PublicKeys) != 1 {
			t.Errorf("%s: %+v, %v", disk, d, err)
		}
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil || strings.Contains(string(mounts), "nvme") {
		t.Errorf("still mounted: %s, %v", mounts, err)
	}
}

// TestSeedDisk has mounting played: what is mounted is filled in, and must be
// unmounted again.
func TestSeedDisk(t *testing.T) {
	labels := t.TempDir()
	if err := os.Symlink("/dev/loop0", filepath.Join(labels, "CIDATA")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/dev/loop0"); err != nil {
		t.Skip("no block device to name:", err)
	}
	var deeds []string
	h := host{byLabel: labels, tmp: t.TempDir(),
		mount: func(device, dir, kind string) error {
			deeds = append(deeds, "mount "+filepath.Base(device)+" "+kind)
			if kind == "iso9660" {
				return errors.New("invalid argument")
			}
			return os.WriteFile(filepath.Join(dir, "user-data"), []byte("x"), 0o600)
		},
		unmount: func(dir string) error {
			deeds = append(deeds, "unmount")
			return os.Remove(filepath.Join(dir, "user-data"))
		},
	}
	d, err := h.seed(t.Context(), "cidata")
	if want := []string{"mount CIDATA iso9660", "mount CIDATA vfat", "unmount"}; err != nil || string(d.UserData) != "x" || !reflect.DeepEqual(deeds, want) {
		t.Errorf("got %+v, %v, %q, want %q", d, err, deeds, want)
	}
	h.mount = func(string, string, string) error { return errors.New("no such device") }
	if _, err := h.seed(t.Context(), "cidata"); err == nil || !strings.HasSuffix(err.Error(), "cannot be mounted: as iso9660: no such device; as vfat: no such device") {
		t.Errorf("not mounted: %v", err)
	}
	if _, err := h.seed(t.Context(), "other"); err == nil || err.Error() != "cannot read launch data: no disk has the label other" {
		t.Errorf("no such label: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(h.tmp, "bootswain-seed-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
