package filesystem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"bootswain/internal/run"
)

// Options says how to make a file system.
type Options struct {
	Device string // device node
	UUID   string // RFC 9562
	Label  string // at most 12 bytes; "" for none

	// Reclaim states that what is on the device is our own unfinished work,
	// known by its UUID. Without it mkfs looks at the device once more by itself
	// and refuses, or asks, where it finds anything.
	Reclaim bool
}

// MaxLabel is the size of sb_fname in XFS's superblock; ext4's has four more.
const MaxLabel = 12

// makeTimeout bounds one mkfs: it writes some MiB, on the slowest volume too.
const makeTimeout = 10 * time.Minute

var rfcUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// MakeXFS makes an XFS file system. Everything on the device is lost; the caller
// has proven it blank, or states that it is to be reclaimed. The geometry of an
// array below is found by mkfs.xfs itself, through dm-crypt too.
//
// It never discards blocks (-K). There is nothing to discard on a device that is
// blank; dm-crypt does not pass discards on unless told to, which would show
// which blocks are in use; and on a large volume that takes them it is slow.
func MakeXFS(ctx context.Context, r run.Runner, o Options) error {
	args := []string{"-q", "-K", "-m", "uuid=" + o.UUID}
	if o.Reclaim {
		args = append(args, "-f")
	}
	return o.make(ctx, r, "an XFS", "mkfs.xfs", args)
}

// MakeExt4 makes an ext4 file system. What MakeXFS says holds for it too;
// mke2fs takes the geometry of an array below from the kernel.
func MakeExt4(ctx context.Context, r run.Runner, o Options) error {
	args := []string{"-q", "-E", "nodiscard", "-U", o.UUID}
	if o.Reclaim {
		args = append(args, "-F")
	}
	return o.make(ctx, r, "an ext4", "mkfs.ext4", args)
}

// MinXFS returns the size in bytes of the smallest XFS that mkfs.xfs makes: 300
// MiB from version 5.19 on, 16 MiB before (xfsprogs, mkfs/xfs_mkfs.c). It asks
// which version there is; *run.MissingError is in the chain where there is none.
func MinXFS(ctx context.Context, r run.Runner) (int64, error) {
	out, err := r.Run(ctx, run.Cmd{Name: "mkfs.xfs", Args: []string{"-V"}})
	if err != nil {
		return 0, err
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "mkfs.xfs version %d.%d", &major, &minor); err == nil && (major < 5 || major == 5 && minor < 19) {
		return 16 << 20, nil
	}
	return 300 << 20, nil
}

func (o Options) make(ctx context.Context, r run.Runner, what, mkfs string, args []string) error {
	if !rfcUUID.MatchString(o.UUID) {
		return fmt.Errorf("cannot make %s file system on %s: %q is not a UUID", what, o.Device, o.UUID)
	}
	if len(o.Label) > MaxLabel {
		return fmt.Errorf("cannot make %s file system on %s: label %q is longer than %d bytes", what, o.Device, o.Label, MaxLabel)
	}
	if o.Label != "" {
		args = append(args, "-L", o.Label)
	}
	_, err := r.Run(ctx, run.Cmd{Name: mkfs, Args: append(args, o.Device), Timeout: makeTimeout})
	if exit, ok := errors.AsType[*run.ExitError](err); ok {
		why, _, _ := strings.Cut(exit.Stderr, "\nUsage:") // forty lines follow what people need to know
		err = &run.ExitError{Cmd: exit.Cmd, Code: exit.Code, Stderr: why}
	}
	if err != nil {
		return fmt.Errorf("cannot make %s file system on %s: %w", what, o.Device, err)
	}
	return nil
}

// Sync makes sure that everything written to a block device is on the device
// itself. It opens the device for reading only: closing one that was open for
// writing makes udev probe it again.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	return nil
}
