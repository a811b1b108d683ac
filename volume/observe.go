package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootswain/ebs"
	"bootswain/luks"
	"bootswain/raid"
	"bootswain/spec"
)

// Observe looks at the devices that want asks for, and at all that stands on
// them. It writes nothing. Where a new set would be made of them if only they
// are blank, it reads them from beginning to end; nowhere else.
func Observe(ctx context.Context, h *Host, want spec.Volume) (State, error) {
	return newWork(h, want.Name, nil).observe(ctx, want)
}

func (w *work) observe(ctx context.Context, want spec.Volume) (State, error) {
	s := State{Name: want.Name, Mode: want.Encryption.Mode, Store: want.InstanceStore != 0, Wanted: len(want.EBS.IDs) + len(want.EBS.Devices), Absent: w.host.Absent, w: w}
	choose := w.chooseEBS
	if s.Store {
		choose = w.chooseStore
	}
	if err := choose(&s, want); err != nil {
		return s, explain(want.Name, "look at its devices", err)
	}
	if err := w.observeOrphan(&s); err != nil {
		return s, explain(want.Name, "look at what is open", err)
	}
	if s.Conflict != "" {
		return s, nil
	}
	if err := w.observeArray(&s); err != nil {
		return s, explain(want.Name, "look at its array", err)
	}
	for i := range s.Devices {
		if err := w.observeDevice(ctx, &s, &s.Devices[i]); err != nil {
			return s, explain(want.Name, "look at "+name(s.Devices[i].Device), err)
		}
	}
	if err := w.observeLayers(&s, want); err != nil {
		return s, explain(want.Name, "look at what is on it", err)
	}
	if err := w.observeStrangers(ctx, &s); err != nil {
		return s, explain(want.Name, "look at what else is on it", err)
	}
	if err := w.observeMkfs(ctx, &s, want); err != nil {
		return s, explain(want.Name, "look for mkfs.xfs", err)
	}
	if err := w.prove(ctx, &s, want); err != nil {
		return s, explain(want.Name, "read all of it", err)
	}
	return s, nil
}

// chooseEBS finds the EBS volumes that are asked for.
func (w *work) chooseEBS(s *State, want spec.Volume) error {
	chosen, err := w.host.EBS.Choose(want.EBS.IDs, want.EBS.Devices)
	if err != nil {
		return err
	}
	if chosen.Conflict != nil {
		s.Conflict = chosen.Conflict.Error()
	}
	if chosen.Nameless != nil {
		s.Nameless, s.Xen = chosen.Nameless.Error(), chosen.Xen
	}
	s.Missing = chosen.Missing
	for _, d := range chosen.Devices {
		s.Devices = append(s.Devices, Device{Device: d})
	}
	return nil
}

// name is how people find a device: "vol-0a11 (/dev/nvme1n1)".
func name(d ebs.Device) string { return fmt.Sprintf("%s (%s)", d.VolumeID, d.Path) }

// observeArray finds the array that holds the devices, and what is left of
// attempts to start one.
func (w *work) observeArray(s *State) error {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := w.findArray(s)
		if !errors.Is(err, errTakenApart) || time.Now().After(end) {
			return err
		}
	}
}

func (w *work) findArray(s *State) error {
	if !s.striped() {
		return nil
	}
	var ours []string
	for _, d := range s.Devices {
		ours = append(ours, d.Name)
	}
	var err error
	if s.Stale, err = raid.Stale(w.host.EBS.Sys, ours); err != nil {
		return err
	}
	for i, d := range s.Devices {
		for _, holder := range d.Holders {
			if !strings.HasPrefix(holder, "md") || slices.Contains(s.Stale, holder) || s.Array != nil && s.Array.Kernel == holder {
				continue
			}
			a, err := w.array(holder)
			if errors.Is(err, fs.ErrNotExist) { // the kernel has let go of it meanwhile
				if s.Devices[i].Holders, err = raid.Holders(w.host.EBS.Sys, d.Name); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			// An array that holds others' devices too is not ours; its members
			// are in use.
			if s.Array == nil && !slices.ContainsFunc(a.Members, func(m string) bool { return !slices.Contains(ours, m) }) {
				s.Array = a
			}
		}
	}
	if s.Array != nil {
		return nil
	}
	s.Array, err = w.deadArray(s)
	return err
}

// deadArray returns the volume's array if it has lost every device, so that no
// device leads to it; its link is still there.
func (w *work) deadArray(s *State) (*Array, error) {
	to, err := os.Readlink(filepath.Join(w.host.EBS.Dev, "md", s.Name))
	if err != nil || slices.Contains(s.Stale, filepath.Base(to)) {
		return nil, nil
	}
	a, err := w.array(filepath.Base(to))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(a.Members) > 0 {
		return nil, nil
	}
	return a, err
}

func (w *work) array(kernel string) (*Array, error) {
	a := &Array{Kernel: kernel, Path: filepath.Join(w.host.EBS.Dev, kernel)}
	var err error
	if a.State, err = raid.ArrayState(w.host.EBS.Sys, kernel); err != nil {
		return nil, err
	}
	members, err := raid.Members(w.host.EBS.Sys, kernel)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if w.holds(kernel, m) {
			a.Members = append(a.Members, m)
		}
	}
	disks, err := w.attribute(kernel, "md/raid_disks")
	if err != nil {
		return nil, err
	}
	a.Disks = int(disks)
	a.Size, err = w.size(kernel)
	return a, err
}

// holds tells whether a device stands on another. It goes on naming one that is
// gone, whose name another may have by now; that one does not know of it.
func (w *work) holds(upper, lower string) bool {
	holders, err := raid.Holders(w.host.EBS.Sys, lower)
	return err == nil && slices.Contains(holders, upper)
}

// size returns a block device's size in bytes.
func (w *work) size(kernel string) (int64, error) {
	sectors, err := w.attribute(kernel, "size")
	return sectors * 512, err
}

// errTakenApart is an array that the kernel has begun to take apart since its state
// was read: it has no number of disks any more (md.c, raid_disks_show).
var errTakenApart = errors.New("the kernel is taking it apart")

// attribute reads a numeric attribute of a block device.
func (w *work) attribute(kernel, name string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(w.host.EBS.Sys, "block", kernel, name))
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return 0, errTakenApart
	}
	return strconv.ParseInt(text, 10, 54)
}

// observeOrphan notes a mapping of our name; observeLayers takes the note back
// if the mapping turns out to stand where it should.
func (w *work) observeOrphan(s *State) error {
	all, err := luks.Mappings(w.host.EBS.Sys)
	for _, m := range all {
		if m.Name == mappingName(s.Name) {
			s.Orphan, s.OrphanLost = &m, w.lostUnder(m.Kernel)
		}
	}
	return err
}
