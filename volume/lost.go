package volume

import (
	"context"
	"fmt"
	"strings"

	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/raid"
)

// Lost tells whether a volume that was up, as seen in s, still stands on all its
// devices. A lost disk tells nobody: the mount stays, statfs answers and small
// writes succeed. It asks sysfs only, so it is cheap and never hangs. nil is
// good; else it is a FAILED situation.
func Lost(_ context.Context, h *Host, s State) error {
	var gone []string
	for _, d := range s.Devices {
		if err := h.EBS.Recheck(d.Device); err != nil {
			gone = append(gone, d.VolumeID)
		}
	}
	var what []string
	if len(gone) > 0 {
		what = append(what, strings.Join(gone, ", ")+" lost")
	}
	under := ""
	if s.Array != nil {
		under = s.Array.Kernel
		if state, err := raid.ArrayState(h.EBS.Sys, under); err != nil {
			what = append(what, "array gone")
		} else if len(gone) > 0 || state == raid.StateBroken || state == raid.StateClear || state == raid.StateInactive {
			what = append(what, "array broken")
		}
	} else if len(s.Devices) == 1 {
		under = s.Devices[0].Name
	}
	if s.Mapping != nil && len(what) == 0 {
		on, err := luks.Mapped(h.EBS.Sys, under)
		if err != nil {
			return err
		}
		if len(on) == 0 {
			what = append(what, fmt.Sprintf("/dev/mapper/%s gone", s.Mapping.Name))
		}
	}
	if len(what) == 0 {
		return nil
	}
	next := "tried again by itself"
	if len(gone) > 0 {
		next = "reattach " + strings.Join(gone, ", ") + "; if it is gone for good, restore from a snapshot"
	}
	return &situation.Situation{Word: situation.Failed, Subject: s.Name, Text: strings.Join(what, ", ") + ".", Next: next}
}
