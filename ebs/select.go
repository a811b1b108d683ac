package ebs

import (
	"fmt"
	"slices"
	"strings"
)

// Select picks devices by volume ids, then by requested device names ("sdf" and
// "/dev/sdf" are one), and returns them in the asked order with the ids and
// names for which there is none.
//
// Every choice must be plain: two devices with the same id or name, or two
// wishes for one device, are an error that names them.
func Select(devs []Device, ids, names []string) (found []Device, missing []string, err error) {
	pick := func(want string, is func(Device) bool) error {
		var hits []Device
		for _, d := range devs {
			if is(d) {
				hits = append(hits, d)
			}
		}
		switch {
		case len(hits) == 0:
			missing = append(missing, want)
			return nil
		case len(hits) > 1:
			return fmt.Errorf("%s is %d devices at once: %s", want, len(hits), paths(hits))
		}
		if slices.ContainsFunc(found, func(d Device) bool { return d.Path == hits[0].Path }) {
			return fmt.Errorf("%s (%s) is asked for twice", hits[0].VolumeID, hits[0].Path)
		}
		found = append(found, hits[0])
		return nil
	}
	for _, id := range ids {
		if err := pick(id, func(d Device) bool { return d.VolumeID == id }); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range names {
		if err := pick(name, func(d Device) bool { return d.RequestedName == deviceName(name) }); err != nil {
			return nil, nil, err
		}
	}
	return found, missing, nil
}

func paths(devs []Device) string {
	var s []string
	for _, d := range devs {
		s = append(s, fmt.Sprintf("%s (%s)", d.Path, d.VolumeID))
	}
	return strings.Join(s, ", ")
}
