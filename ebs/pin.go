package ebs

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Recheck makes sure that d still is the disk it was when Devices returned it:
// the same device number, serial (where it has one) and diskseq under the same kernel name. It is
// meant to be asked right before each writing step, because a device node may
// belong to another disk after a detach and an attach.
func (h Host) Recheck(d Device) error {
	dir := filepath.Join(h.Sys, "block", d.Name)
	num, err := attribute(dir, "dev")
	if gone(err) {
		return fmt.Errorf("%s (%s) is gone", d.VolumeID, d.Path)
	}
	if err != nil {
		return fmt.Errorf("cannot check %s (%s) again: %w", d.VolumeID, d.Path, err)
	}
	var serial string
	if d.Serial != "" {
		serial, err = attribute(dir, "device/serial")
	}
	if err != nil {
		return fmt.Errorf("cannot check %s (%s) again: %w", d.VolumeID, d.Path, err)
	}
	seq, err := number(dir, "diskseq")
	if err != nil {
		return fmt.Errorf("cannot check %s (%s) again: %w", d.VolumeID, d.Path, err)
	}
	if num != d.Number || serial != d.Serial || seq != d.Diskseq {
		return fmt.Errorf("%s was %s (serial %s, number %s, diskseq %d) and is now another disk (serial %s, number %s, diskseq %d)",
			d.Path, d.VolumeID, d.Serial, d.Number, d.Diskseq, serial, num, seq)
	}
	return nil
}

// InUse tells whether the kernel has given a block device to someone: a mount,
// md, dm or another exclusive opener. It opens the device exclusively for
// reading and closes it again, so it answers for this moment only, and anyone
// else who wants the device exclusively at that very instant finds it busy.
func InUse(path string) (bool, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_EXCL|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot find out whether %s is in use: %w", path, err)
	}
	return false, unix.Close(fd)
}
