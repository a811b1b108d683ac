package volume

import (
	"fmt"
	"strings"

	"bootswain/ebs"
	"bootswain/plan"
	"bootswain/raid"
	"bootswain/spec"
)

// at is what every step knows: the volume as it was seen when the step was
// planned, and where to do it.
type at struct{ s State }

func (s State) at() at { return at{s} }

func (a at) host() *Host { return a.s.w.host }

// Destroys is empty but for the steps that say otherwise.
func (at) Destroys() []plan.Device { return nil }

// on names the volume and the EBS volumes under it.
func (a at) on() string { return a.s.Name + " on " + strings.Join(a.s.ids(), ", ") }

// all lists the volume's devices as what a step destroys.
func (a at) all() []plan.Device {
	var list []plan.Device
	for _, d := range a.s.Devices {
		list = append(list, planDevice(d))
	}
	return list
}

func planDevice(d Device) plan.Device {
	return plan.Device{Volume: d.VolumeID, Path: d.Path, Size: d.Size}
}

// same makes sure that the devices still are the disks that were looked at.
func (a at) same() error {
	for _, d := range a.s.Devices {
		if err := a.host().EBS.Recheck(d.Device); err != nil {
			return fmt.Errorf("%w; nothing written", err)
		}
	}
	return nil
}

// claimed makes sure that each device still carries this set's claim: that
// nothing on it is wanted.
func (a at) claimed() error {
	for _, d := range a.s.Devices {
		c, err := claimOn(d.Device)
		if err != nil {
			return err
		}
		if !a.s.claims(c) {
			return fmt.Errorf("%s is not claimed for this set; nothing written", name(d.Device))
		}
	}
	return nil
}

// free makes sure that nobody uses a device.
func free(path string) error {
	busy, err := ebs.InUse(path)
	if err != nil {
		return err
	}
	if busy {
		return fmt.Errorf("%s is in use; nothing written", path)
	}
	return nil
}

// target finds what carries the header: the array that holds all the devices
// now, or the one device.
func (a at) target() (kernel, path string, err error) {
	first := a.s.Devices[0]
	if !a.s.striped() {
		return first.Name, first.Path, nil
	}
	now := a.s.again()
	for i, d := range a.s.Devices {
		if now.Devices[i].Holders, err = raid.Holders(a.host().EBS.Sys, d.Name); err != nil {
			return "", "", err
		}
	}
	if err := a.s.w.observeArray(&now); err != nil {
		return "", "", err
	}
	if !now.Array.intact() || len(now.Array.Members) != a.s.Wanted {
		return "", "", fmt.Errorf("no array runs on all of %s", strings.Join(a.s.ids(), ", "))
	}
	return now.Array.Kernel, now.Array.Path, nil
}

// unready makes sure that what is on a path is this set's own and never was
// ready: by the header, if there is one, or for want of any by every claim.
func (a at) unready(path string) error {
	if a.s.Mode == spec.EncryptionNone {
		return a.claimed()
	}
	now := a.s.again()
	for i := range now.Devices {
		var err error
		if now.Devices[i].Claim, err = claimOn(now.Devices[i].Device); err != nil {
			return err
		}
	}
	if err := observeHeaderAt(&now, path, 0, 1<<62); err != nil {
		return err
	}
	if now.Header != nil && !now.unfinished() {
		return fmt.Errorf("%s has a LUKS header that is not this set's own unfinished one; nothing written", path)
	}
	return nil
}

// mapping finds what is open on the target now: the header that the volume was
// seen to have, or is given.
func (a at) mapping() (*Mapping, error) {
	kernel, path, err := a.target()
	if err != nil {
		return nil, err
	}
	return a.mappingOn(kernel, path)
}

func (a at) mappingOn(kernel, path string) (*Mapping, error) {
	now := a.s.again()
	header := a.s.uuid(kindHeader)
	if a.s.Header != nil && a.s.ready() {
		header = a.s.Header.UUID
	}
	if err := a.s.w.observeMapping(&now, kernel, header); err != nil {
		return nil, err
	}
	if now.Mapping == nil {
		return nil, fmt.Errorf("/dev/mapper/%s does not stand on %s", mappingName(a.s.Name), path)
	}
	return now.Mapping, nil
}

// sectorSize returns what a device writes at once, as far as encryption can use
// it: 512 or 4096 bytes.
func (w *work) sectorSize(kernel string) int {
	if n, err := w.attribute(kernel, "queue/physical_block_size"); err == nil && n >= 4096 {
		return 4096
	}
	return 512
}
