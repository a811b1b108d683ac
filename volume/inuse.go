package volume

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bootswain/ebs"
	"bootswain/filesystem"
)

// user tells who uses a device, if it is not this volume.
func (w *work) user(s *State, d *Device) (string, error) {
	for _, holder := range d.Holders {
		switch {
		case s.Array != nil && s.Array.Kernel == holder, slices.Contains(s.Stale, holder):
			continue
		case strings.HasPrefix(holder, "dm-") && !s.striped():
			continue // observeMapping tells whether it is ours
		}
		return holder, nil
	}
	if on, err := w.mountedOn(d); err != nil || on != "" {
		return on, err
	}
	if len(d.Holders) > 0 || d.Content.Kind == KindMember || d.Content.Kind == KindEncrypted || d.Content.Kind == KindPlain {
		// Looking exclusively would be in the way of somebody who starts or
		// opens it this very moment; the steps look before they write.
		return "", nil
	}
	busy, err := ebs.InUse(d.Path)
	if err != nil || !busy {
		return "", nil // unreadable, as content finds out too
	}
	return "another program", nil
}

// mountedOn names the file system that is mounted from a device itself, as
// cloud-init does it on /mnt, or from one of its partitions; "" for none.
func (w *work) mountedOn(d *Device) (string, error) {
	mounts, err := filesystem.Mounted(w.host.Proc, d.Number)
	if err != nil {
		return "", err
	}
	if len(mounts) > 0 {
		return "a file system mounted on " + mounts[0].Point, nil
	}
	for _, p := range d.Partitions {
		number, err := os.ReadFile(filepath.Join(w.host.EBS.Sys, "block", d.Name, p, "dev"))
		if err != nil {
			return "", err
		}
		if mounts, err = filesystem.Mounted(w.host.Proc, strings.TrimSpace(string(number))); err != nil {
			return "", err
		}
		if len(mounts) > 0 {
			return "its partition " + p + ", mounted on " + mounts[0].Point, nil
		}
	}
	return "", nil
}
