package ebs

import (
	"fmt"
	"slices"
	"strings"
)

// Choice is what became of a wish for volumes.
type Choice struct {
	Devices  []Device // in the asked order
	Missing  []string // ids and names for which there is no device
	Conflict error    // why the choice is not plain; then nothing is chosen
	Nameless error    // why a device did not say who it is: one of the missing may be that, or a chosen one is a stranger
	Xen      bool     // Nameless is a stranger
}

// Choose picks volumes by their ids, then by the device names that they were
// attached under ("sdf" and "/dev/sdf" are one; on Xen "sdf" is xvdf). Only where
// names are asked for does it ask the controllers.
//
// Every choice must be plain: two devices with the same id or name, or two
// wishes for one device, are a conflict.
func (h Host) Choose(ids, names []string) (Choice, error) {
	devices, err := h.volumes(func(id string) bool { return len(names) > 0 || slices.Contains(ids, id) })
	if err != nil {
		return Choice{}, err
	}
	var c Choice
	var nameless error
	strange := false
	for _, d := range devices {
		if d.Stranger && nameless == nil {
			strange = true
			nameless = fmt.Errorf("%s does not say which volume it is, as no disk does on Xen, and %w", d.Path, h.Xen.reason())
		}
	}
	for _, id := range ids {
		c.pick(id, devices, func(d Device) bool { return d.VolumeID == id })
	}
	called := map[string]string{} // by path
	for _, d := range devices {
		if len(names) == 0 || xenDisk.MatchString(d.Name) {
			continue
		}
		if called[d.Path], err = h.requestedName(d.Path); err != nil && nameless == nil {
			nameless = fmt.Errorf("%s (%s) does not tell which device name it was attached under: %w", d.VolumeID, d.Path, err)
		}
	}
	for _, name := range names {
		c.pick(name, devices, func(d Device) bool { return d.Name == xenName(name) || called[d.Path] == deviceName(name) })
	}
	if len(c.Missing) > 0 || slices.ContainsFunc(c.Devices, func(d Device) bool { return d.Stranger }) {
		c.Nameless, c.Xen = nameless, strange
	}
	return c, nil
}

// pick adds the one device that is wanted.
func (c *Choice) pick(want string, devices []Device, is func(Device) bool) {
	var hits []Device
	for _, d := range devices {
		if is(d) {
			hits = append(hits, d)
		}
	}
	switch {
	case c.Conflict != nil:
	case len(hits) == 0:
		c.Missing = append(c.Missing, want)
	case len(hits) > 1:
		*c = Choice{Conflict: fmt.Errorf("%s is %d devices at once: %s", want, len(hits), paths(hits))}
	case slices.ContainsFunc(c.Devices, func(d Device) bool { return d.Path == hits[0].Path }):
		*c = Choice{Conflict: fmt.Errorf("%s (%s) is asked for twice", hits[0].VolumeID, hits[0].Path)}
	default:
		c.Devices = append(c.Devices, hits[0])
	}
}

func paths(devs []Device) string {
	var s []string
	for _, d := range devs {
		s = append(s, fmt.Sprintf("%s (%s)", d.Path, d.VolumeID))
	}
	return strings.Join(s, ", ")
}
