package filesystem

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

const mountinfo6 = `24 1 259:12 / / rw,relatime - ext4 /dev/root rw
29 24 0:24 / /sys rw,relatime - sysfs sys rw
40 24 253:0 / /srv/a\040b rw,noatime shared:5 - xfs /dev/mapper/bootswain-data rw,attr2
41 24 253:0 /mysql /var/lib/mysql rw,noatime shared:5 - xfs /dev/mapper/bootswain-data rw,attr2
`

func proc(t *testing.T, mountinfo string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "self"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "self", "mountinfo"), []byte(mountinfo), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMounted(t *testing.T) {
	dir := proc(t, mountinfo6)
	data := Mount{Number: "253:0", Source: "/dev/mapper/bootswain-data", Root: "/", Point: "/srv/a b", Type: "xfs", Options: "rw,noatime"}
	bound := data
	bound.Root, bound.Point = "/mysql", "/var/lib/mysql"
	for device, want := range map[string][]Mount{
		"253:0":                      {data, bound},
		"/dev/mapper/bootswain-data": {data, bound},
		"253:1":                      nil,
	} {
		if got, err := Mounted(dir, device); err != nil || !slices.Equal(got, want) {
			t.Errorf("Mounted(%s) = %+v, %v; want %+v", device, got, err, want)
		}
	}
	if got, err := MountedAt(dir, "/srv/a b/"); err != nil || !slices.Equal(got, []Mount{data}) {
		t.Errorf("MountedAt() = %+v, %v", got, err)
	}
	if got, err := MountedAt(dir, "/srv"); err != nil || got != nil {
		t.Errorf("MountedAt() of a bare directory = %+v, %v", got, err)
	}
}

func TestMountedErrors(t *testing.T) {
	_, err := Mounted(t.TempDir(), "253:0")
	wantError(t, err, "cannot read what is mounted")
	_, err = Mounted(proc(t, "24 1 259:12 /\n"), "253:0")
	wantError(t, err, "cannot read what is mounted")
}

func TestSetImmutable(t *testing.T) {
	wantError(t, SetImmutable(t.TempDir()+"/none", true), "cannot change the immutable flag of")
	dir := t.TempDir()
	if err := SetImmutable(dir, false); err != nil {
		t.Error(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := unix.IoctlGetInt(int(d.Fd()), unix.FS_IOC_GETFLAGS); err != nil || os.Geteuid() != 0 {
		t.Skipf("not root, or no such flag here: %v", err)
	}
	t.Cleanup(func() {
		if err := SetImmutable(dir, false); err != nil {
			t.Error(err)
		}
	})
	if err := SetImmutable(dir, true); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err == nil {
		t.Error("the directory can be written to")
	}
}
