package filesystem

import (
	"errors"
	"os"
	"strings"
	"testing"

	"bootswain/internal/run"
)

func TestMakeXFS(t *testing.T) {
	var ran string
	note := runner(func(c run.Cmd) ([]byte, error) { ran = c.String(); return nil, nil })
	o := Options{Device: "/dev/mapper/bootswain-data", UUID: testUUID, Label: "data"}
	if err := MakeXFS(t.Context(), note, o); err != nil {
		t.Fatal(err)
	}
	if want := "mkfs.xfs -q -K -m uuid=" + testUUID + " -L data /dev/mapper/bootswain-data"; ran != want {
		t.Errorf("ran %s\nwant %s", ran, want)
	}
	o.Reclaim, o.Label = true, ""
	if err := MakeXFS(t.Context(), note, o); err != nil {
		t.Fatal(err)
	}
	if want := "mkfs.xfs -q -K -m uuid=" + testUUID + " -f /dev/mapper/bootswain-data"; ran != want {
		t.Errorf("ran %s\nwant %s", ran, want)
	}
}

func TestMakeExt4(t *testing.T) {
	var ran string
	note := runner(func(c run.Cmd) ([]byte, error) { ran = c.String(); return nil, nil })
	o := Options{Device: "/dev/mapper/bootswain-data", UUID: testUUID, Label: "data", Reclaim: true}
	if err := MakeExt4(t.Context(), note, o); err != nil {
		t.Fatal(err)
	}
	if want := "mkfs.ext4 -q -E nodiscard -U " + testUUID + " -F -L data /dev/mapper/bootswain-data"; ran != want {
		t.Errorf("ran %s\nwant %s", ran, want)
	}
}

// TestMakeExt4ForReal runs this machine's mkfs.ext4 on a file, where there is one.
func TestMakeExt4ForReal(t *testing.T) {
	path := sparseFile(t, 64<<20)
	err := MakeExt4(t.Context(), run.Host{}, Options{Device: path, UUID: testUUID, Label: "data", Reclaim: true})
	if _, missing := errors.AsType[*run.MissingError](err); missing {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := Superblock{Type: "ext4", UUID: testUUID, Label: "data", Size: 64 << 20}
	if size := MountedSize(t.TempDir(), path); size != want.Size {
		t.Errorf("MountedSize() = %d, want %d", size, want.Size)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := ReadSuperblock(f); err != nil || got == nil || *got != want {
		t.Errorf("ReadSuperblock() = %+v, %v; want %+v", got, err, want)
	}
}

func TestGrow(t *testing.T) {
	var ran []string
	note := runner(func(c run.Cmd) ([]byte, error) { ran = append(ran, c.String()); return nil, nil })
	if err := errors.Join(GrowXFS(t.Context(), note, "/srv/data"), GrowExt4(t.Context(), note, "/dev/dm-0")); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(ran, "; "), "xfs_growfs -d /srv/data; resize2fs /dev/dm-0"; got != want {
		t.Errorf("ran %s, want %s", got, want)
	}
}

func TestMakeXFSErrors(t *testing.T) {
	never := runner(func(c run.Cmd) ([]byte, error) { t.Errorf("ran %s", c); return nil, nil })
	wantError(t, MakeXFS(t.Context(), never, Options{Device: "/dev/x", UUID: "1"}), `cannot make an XFS file system on /dev/x: "1" is not a UUID`)
	wantError(t, MakeXFS(t.Context(), never, Options{Device: "/dev/x", UUID: testUUID, Label: "orders-db-data"}), `label "orders-db-data" is longer than 12 bytes`)
	small := runner(func(run.Cmd) ([]byte, error) {
		return nil, &run.ExitError{Cmd: "mkfs.xfs", Code: 1, Stderr: "Filesystem must be larger than 300MB.\nUsage: mkfs.xfs\n/* blocksize */"}
	})
	err := MakeXFS(t.Context(), small, Options{Device: "/dev/x", UUID: testUUID})
	wantError(t, err, "Filesystem must be larger than 300MB.")
	if strings.Contains(err.Error(), "Usage") || run.ExitCode(err) != 1 {
		t.Errorf("error is %v", err)
	}
}

// TestMakeXFSForReal runs this machine's mkfs.xfs on a file, where there is one.
func TestMakeXFSForReal(t *testing.T) {
	path := sparseFile(t, 400<<20)
	o := Options{Device: path, UUID: testUUID, Label: "data"}
	err := MakeXFS(t.Context(), run.Host{}, o)
	if _, missing := errors.AsType[*run.MissingError](err); missing {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := Sync(path); err != nil {
		t.Error(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := Superblock{Type: "xfs", UUID: testUUID, Label: "data", Size: 400 << 20}
	if got, err := ReadSuperblock(f); err != nil || got == nil || *got != want {
		t.Errorf("ReadSuperblock() = %+v, %v; want %+v", got, err, want)
	}
	wantError(t, MakeXFS(t.Context(), run.Host{}, o), "appears to contain an existing filesystem (xfs)")
	o.Reclaim = true
	if err := MakeXFS(t.Context(), run.Host{}, o); err != nil {
		t.Error(err)
	}
}

func TestSyncErrors(t *testing.T) {
	wantError(t, Sync(t.TempDir()+"/none"), "cannot sync")
}

func TestMinXFS(t *testing.T) {
	for out, want := range map[string]int64{
		"mkfs.xfs version 6.13.0\n": 300 << 20,
		"mkfs.xfs version 5.19.0\n": 300 << 20,
		"mkfs.xfs version 5.18.0\n": 16 << 20,
		"mkfs.xfs version 4.20.0\n": 16 << 20,
		"something new\n":           300 << 20,
	} {
		got, err := MinXFS(t.Context(), runner(func(run.Cmd) ([]byte, error) { return []byte(out), nil }))
		if got != want || err != nil {
			t.Errorf("MinXFS() of %q = %d, %v", out, got, err)
		}
	}
	_, err := MinXFS(t.Context(), runner(func(c run.Cmd) ([]byte, error) { return nil, &run.MissingError{Name: c.Name} }))
	if !errors.As(err, new(*run.MissingError)) {
		t.Errorf("without mkfs.xfs: %v", err)
	}
}
