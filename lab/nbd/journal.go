package nbd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
)

// Journal is the one sequence of what was written to several disks and what was
// flushed, from which they can be put back to any moment of it, as they would
// be after a power cut then. Logs kept for each disk alone would not do: what
// one disk holds and another does not depends on the order between them.
//
// A request stands in the journal before it is answered, so whatever a guest
// did because of an answer comes later.
type Journal struct {
	disks []*Disk

	mu     sync.Mutex
	events []event
	ended  bool
}

// event is a write, a flush, or, with no disk, a mark.
type event struct {
	disk  *Disk
	write *record
	mark  string
}

// Mark is a place in the sequence that somebody gave a name.
type Mark struct {
	At   int // how many events come before it
	Text string
}

// Record keeps a journal of these disks from now on. They must hold nothing yet.
func Record(disks ...*Disk) (*Journal, error) {
	j := &Journal{disks: disks}
	for _, d := range disks {
		d.mu.Lock()
		start, _, err := nextData(d.file, 0, d.size)
		if err == nil && start < d.size {
			err = fmt.Errorf("cannot record a disk that holds data at byte %d already", start)
		}
		if err == nil {
			d.journal = j
		}
		d.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	return j, nil
}

func (j *Journal) add(e event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended {
		j.events = append(j.events, e)
	}
}

// Mark gives the present place in the sequence a name.
func (j *Journal) Mark(text string) { j.add(event{mark: text}) }

// End ends the recording; what is written from now on is not kept.
func (j *Journal) End() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
}

// Len is how many moments there are: each event is followed by one.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.events)
}

// Marks returns all marks in their order.
func (j *Journal) Marks() []Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	var marks []Mark
	for i, e := range j.events {
		if e.disk == nil {
			marks = append(marks, Mark{i, e.mark})
		}
	}
	return marks
}

// Restore puts the disks back to the moment after the first at events, as a
// power cut then would have left them: of the writes to each disk since its last
// flush those survive that rng chooses, some of them torn. The recording must
// have ended, and the disks must not be in use. It returns the sum of the losses.
func (j *Journal) Restore(at int, rng *rand.Rand) (Loss, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended {
		return Loss{}, errors.New("cannot restore disks that are still recorded")
	}
	var total Loss
	for _, d := range j.disks {
		loss, err := d.restore(j.events[:at], func(unflushed []record) []int64 { return fates(rng, unflushed) })
		if err != nil {
			return Loss{}, err
		}
		total.Unflushed += loss.Unflushed
		total.Dropped += loss.Dropped
		total.Torn += loss.Torn
	}
	return total, nil
}

// Resume puts the disks back to the end of the recording, with nothing lost, and
// goes on recording. They must not be in use.
func (j *Journal) Resume() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.disks {
		if _, err := d.restore(j.events, whole); err != nil {
			return err
		}
	}
	j.ended = false
	return nil
}

// restore asks fate which of the writes survive that no flush came after.
func (d *Disk) restore(events []event, fate func([]record) []int64) (Loss, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cache.clear()
	if err := put(d.file, 0, d.size, nil); err != nil {
		return Loss{}, err
	}
	var unflushed []record
	settle := func(kept []int64) error {
		for i, r := range unflushed {
			if err := r.apply(d.file, kept[i]); err != nil {
				return err
			}
		}
		unflushed = nil
		return nil
	}
	for _, e := range events {
		switch {
		case e.disk != d:
		case e.write != nil:
			unflushed = append(unflushed, *e.write)
		default:
			if err := settle(whole(unflushed)); err != nil {
				return Loss{}, err
			}
		}
	}
	kept := fate(unflushed)
	return lost(unflushed, kept), settle(kept)
}

// whole is the fate of writes that all survive.
func whole(records []record) []int64 {
	keep := make([]int64, len(records))
	for i, r := range records {
		keep[i] = r.n
	}
	return keep
}
