package volume

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"bootswain/spec"
)

// clone makes one disk a copy of another, where nobody uses it.
func (w *walker) clone(from, to int) {
	src, dst := w.all[from], w.all[to]
	a, b := w.disks[src], w.disks[dst]
	if from == to || w.up != "" || !a.attached || !b.attached || a.mute || b.mute || w.m == nil && from/3 != to/3 {
		return
	}
	w.reboot()
	w.b.copy(w.t, src, dst)
	harmed := b.harmed || a.owner != "" || b.owner != ""
	if *b = *a; harmed {
		b.harmed = true
	}
	b.sum = w.b.sum(w.t, dst)
}

// corrupt writes to a disk behind everybody's back, or makes it unreadable.
func (w *walker) corrupt(id string, n int) {
	d := w.disks[id]
	if w.up != "" && strings.Contains(w.up, id) || !d.attached {
		return
	}
	if (n%6 == 2 || n%6 == 3) && d.owner != "" && d.whole == "" { // damaged twice, it is mended at once
		d.whole = w.b.sum(w.t, id)
	}
	noise, r := make([]byte, 4096), rand.New(rand.NewPCG(uint64(n), 1))
	for i := range noise {
		noise[i] = byte(r.Uint32()) | 1
	}
	switch kind := n % 6; {
	case kind == 0:
		w.b.foreign(w.t, id)
	case kind == 1 && d.owner == "":
		w.b.write(w.t, id, 64<<10+int64(n)<<2, noise[:100])
	case kind == 2:
		w.b.write(w.t, id, 0, noise) // the primary header of a single device
	case kind == 3:
		w.b.write(w.t, id, 4096+64, noise[:8]) // the superblock of a member
	case kind == 4:
		w.b.write(w.t, id, 0, make([]byte, 32<<10)) // all headers
	case w.m != nil && d.owner == "":
		w.b.write(w.t, id, 128<<10+int64(n)<<2, noise[:100])
		d.mute = n%4 < 2
		w.m.Unreadable(id, d.mute)
	default:
		return
	}
	d.harmed = true
	if d.owner == "" && n%6 != 4 {
		d.wanted = true // somebody else's
	}
	d.sum = w.b.sum(w.t, id)
	d.wanted = d.wanted && d.sum != w.blank
}

// change changes the launch data.
func (w *walker) change(a, b int) {
	w.calm()
	switch a % 11 {
	case 0:
		if ids := w.want.EBS.IDs; len(ids) > 1 {
			w.want.EBS.IDs = ids[:len(ids)-1]
		}
	case 1:
		for _, id := range w.all {
			if !slices.Contains(w.want.EBS.IDs, id) {
				w.want.EBS.IDs = append(w.want.EBS.IDs, id)
				break
			}
		}
	case 2:
		slices.Reverse(w.want.EBS.IDs)
	case 3:
		w.want.Create = spec.CreateNever
	case 4:
		w.want.Encryption.Sealed = nil
	case 5:
		w.want.Encryption.Sealed = []byte("sealed:two")
	case 6:
		choice := homes
		if w.m != nil {
			choice = slices.Concat(homes, strays)
		}
		w.want.EBS.IDs = w.named(choice[b%len(choice)])
	case 7:
		if w.m != nil {
			w.want.EBS = spec.EBS{}
			for _, n := range w.home {
				w.want.EBS.Devices = append(w.want.EBS.Devices, "/dev/sd"+string(rune('f'+n)))
			}
		}
	case 8, 9:
		w.release()
	case 10:
		w.keys = ringWithout("sealed:one")
	}
}

// release puts into the launch data what the last refusal told to.
func (w *walker) release() {
	id, found, ok := strings.Cut(w.refused, ":")
	if !ok {
		return
	}
	w.want.Wipe = append(w.want.Wipe, spec.Wipe{Volume: id, Found: found})
	d := w.disks[id]
	if w.b.sum(w.t, id) == w.seen { // else it is no longer what the person saw
		w.wiped = w.wiped || d.ready
		d.wanted, d.released = false, true
	}
	w.refused = ""
}

// discover boots without launch data.
func (w *walker) discover() error {
	w.reboot()
	volumes, _, err := Discover(w.t.Context(), w.b.host(), nil)
	var all []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		w.note(err)
	}
	for _, v := range volumes {
		s, err := Converge(w.t.Context(), w.b.host(), v, nil)
		if kept := w.kept(); kept != nil {
			return kept
		}
		if err != nil {
			w.note(err)
			if err := w.words(err); err != nil {
				return fmt.Errorf("discovered %v: %w", v.EBS.IDs, err)
			}
			continue
		}
		w.count.converged++
		if err := w.use(v.EBS.IDs, s.mountedAt(v.Mount)); err != nil {
			return fmt.Errorf("discovered %v: %w", v.EBS.IDs, err)
		}
	}
	return errors.Join(w.kept())
}
