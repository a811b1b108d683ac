package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxRead is how much of one file is read. A larger one is named in
// Found.Partly.
const MaxRead = 64 << 20

// Found is what Check found, in the order of the paths.
type Found struct {
	Findings []Finding `json:"findings"`
	Files    int       `json:"files"`            // how many were looked at
	Shipped  int       `json:"shipped"`          // findings left out, for a Debian package brought them to everybody as they are
	Partly   []string  `json:"partly,omitempty"` // files of which only the first MaxRead bytes were read
}

// Check looks for what must not be in the image whose root directory is root.
// File systems that are no part of an image (proc, tmpfs, network) are passed
// over. With an error, Found holds what was found all the same.
func Check(ctx context.Context, root string) (Found, error) {
	var found Found
	root, err := filepath.Abs(root)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err == nil {
		_, err = os.ReadDir(root)
	}
	if err != nil {
		return found, fmt.Errorf("cannot check the image: %w", err)
	}
	s := newScanner()
	var unread []error
	device := map[string]uint64{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && d.IsDir() {
			return descend(device, root, path)
		}
		if err == nil && d.Type().IsRegular() {
			var partly bool
			inside := "/" + strings.TrimPrefix(path[len(root):], "/")
			found.Files++
			partly, err = s.file(path, inside)
			if partly {
				found.Partly = append(found.Partly, inside)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			unread = append(unread, err)
		}
		return nil
	})
	found.Findings, found.Shipped = shipped(root, s.findings)
	if err = errors.Join(append(unread, err)...); err != nil {
		return found, fmt.Errorf("cannot check the whole image: %w", err)
	}
	return found, nil
}

// descend skips directories on which another file system is mounted that is no
// part of an image. device remembers the device of each directory on the way.
func descend(device map[string]uint64, root, path string) error {
	var info syscall.Stat_t
	if err := syscall.Lstat(path, &info); err != nil {
		return filepath.SkipDir // it went
	}
	device[path] = info.Dev
	if path == root || device[filepath.Dir(path)] == info.Dev {
		return nil
	}
	var on unix.Statfs_t
	if err := unix.Statfs(path, &on); err != nil {
		return fmt.Errorf("cannot tell what is mounted on %s: %w", path, err)
	}
	switch uint32(on.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC:
		return nil
	}
	return filepath.SkipDir
}

// open opens a regular file to be read, and nothing else that may have come in
// its place.
func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fs.ErrNotExist // it was replaced
	}
	return f, nil
}
