package filesystem

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Mount is one place where a file system is mounted.
type Mount struct {
	Number  string // device number of the file system, "253:0"
	Source  string // as given to mount, "/dev/mapper/bootswain-data"
	Root    string // directory of the file system that is mounted; "/" unless bound
	Point   string // where
	Type    string // "xfs"
	Options string // mount options, "rw,noatime"
}

// Mounted returns the mounts of a file system by its device's number, or by its
// source if there is a slash in it, in the order of mounting; bind mounts of
// its directories are among them. proc is "/proc".
func Mounted(proc, device string) ([]Mount, error) {
	return mounts(proc, func(m Mount) bool { return m.Number == device || m.Source == device })
}

// MountedAt returns what is mounted on a directory; the last covers the others.
func MountedAt(proc, dir string) ([]Mount, error) {
	return mounts(proc, func(m Mount) bool { return m.Point == filepath.Clean(dir) })
}

func mounts(proc string, wanted func(Mount) bool) ([]Mount, error) {
	f, err := os.Open(filepath.Join(proc, "self", "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("cannot read what is mounted: %w", err)
	}
	defer f.Close()
	infos, err := mountinfo.GetMountsFromReader(f, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot read what is mounted: %w", err)
	}
	var found []Mount
	for _, i := range infos {
		m := Mount{
			Number: fmt.Sprintf("%d:%d", i.Major, i.Minor),
			Source: i.Source, Root: i.Root, Point: i.Mountpoint, Type: i.FSType, Options: i.Options,
		}
		if wanted(m) {
			found = append(found, m)
		}
	}
	return found, nil
}

// immutable is FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

// SetImmutable sets or takes away the immutable flag of a directory, which keeps
// even root from writing into it. On a bare mount point it keeps a service that
// comes too early from writing beside its volume. It says nothing where the file
// system has no such flag. It acts on what is seen at dir: on a directory with
// something mounted on it that is the mounted file system's root.
func SetImmutable(dir string, on bool) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot change the immutable flag of %s: %w", dir, err)
	}
	defer d.Close()
	flags, err := unix.IoctlGetInt(int(d.Fd()), unix.FS_IOC_GETFLAGS)
	want := flags &^ immutable
	if on {
		want = flags | immutable
	}
	if err == nil && want != flags {
		err = unix.IoctlSetPointerInt(int(d.Fd()), unix.FS_IOC_SETFLAGS, want)
	}
	if err != nil && !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("cannot change the immutable flag of %s: %w", dir, err)
	}
	return nil
}
