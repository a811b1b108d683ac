package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/lab/nbd"
)

// TestReplay leads two volumes, an array and a single disk, through first boot,
// a rotation of the key, down, up and reboot, while everything that reaches their disks is recorded.
// Then it puts the disks back to moments of that, every boundary between two
// steps and random instants within steps, with writes that were not flushed
// lost, torn or out of order, and boots on each of them: all in one guest. In
// another, the single disk is a larger one, and the volume grows.
func TestReplay(t *testing.T) {
	site := newSite(t)
	seed := setting(t, "BOOTSWAIN_SEED", uint64(time.Now().UnixNano()))
	data, logs := site.set("data", half, "vol-0a000011", "vol-0a000022"), site.set("logs", alone, "vol-0a000033")
	r := &replay{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 1)),
		lives: []life{{data, "live"}, {logs, "live"}, {logs, "grow"}},
	}
	t.Logf("seed %d", seed)
	disks := slices.Concat(data.disks, logs.disks)
	var err error
	if r.journal, err = nbd.Record(disks...); err != nil {
		t.Fatal(err)
	}
	atLeast := int(setting(t, "BOOTSWAIN_CUTS", 56))
	r.guest(site, 2, atLeast-atLeast/7, data, logs)
	r.from = r.journal.Len()
	if err := errors.Join(r.journal.Resume(), logs.disks[0].Grow(alone+grown)); err != nil {
		t.Fatal(err)
	}
	r.guest(site, 3, max(atLeast, r.done+12), logs) // it has some eight boundaries
	var written nbd.Stats
	for _, d := range disks {
		s := d.Stats()
		written.Writes, written.Forced, written.Flushes = written.Writes+s.Writes, written.Forced+s.Forced, written.Flushes+s.Flushes
	}
	t.Logf("crash: %d writes (%d by force) and %d flushes in all", written.Writes, written.Forced, written.Flushes)
	t.Logf("crash: %d replayed moments of %d events: %d converged, %d refused, %d losses; %d writes were dropped, %d torn",
		r.done, r.journal.Len(), r.converged, r.refused, r.losses, r.lost.Dropped, r.lost.Torn)
	if r.done < atLeast {
		t.Errorf("only %d of %d moments", r.done, atLeast)
	}
}

// grown is by how much a disk grows.
const grown = 128 << 20

type replay struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	journal *nbd.Journal
	lives   []life

	until   int // so many lives are for this guest, or were for one before it
	lived   int // how many of the lives
	from    int // the moment at which this guest's lives begin
	atLeast int // moments, with those of guests before

	moments []moment
	done    int // of the moments
	lost    nbd.Loss

	converged, refused, losses int
}

// life is what a guest is to do with a set while that is recorded.
type life struct {
	set *set
	do  string
}

// moment is one to boot at.
type moment struct {
	at   int
	set  *set
	what string
}

// guest has a guest live the lives up to that one, and boot at moments of them.
func (r *replay) guest(site *site, until, atLeast int, sets ...*set) {
	r.until, r.atLeast = until, atLeast
	exit, err := site.guest(r.t.Context(), time.Duration(5+atLeast/2)*time.Minute, r.answer, sets...)
	if err != nil || exit != 0 {
		r.t.Errorf("exit %d, %v", exit, err)
	}
}

// answer is the host's side of the conversation.
func (r *replay) answer(said report) order {
	switch {
	case said.Mark != "":
		r.journal.Mark(said.Mark)
		return order{}
	case said.File != "":
		r.lives[r.lived-1].set.acknowledge(r.journal.Len(), said.File, said.Sum)
		return order{}
	case said.Word != "":
		r.judge(r.moments[r.done], said)
		r.done++
	case r.lived < r.until:
		r.lived++
		r.journal.Mark("begin")
		l := r.lives[r.lived-1]
		return l.set.order(l.do)
	default:
		r.journal.End()
		r.choose()
	}
	if r.done == len(r.moments) {
		return order{Do: "end"}
	}
	m := r.moments[r.done]
	loss, err := r.restore(m)
	if err != nil {
		r.t.Error(err)
		return order{Do: "end"}
	}
	r.lost.Dropped += loss.Dropped
	r.lost.Torn += loss.Torn
	return m.set.order("recover")
}

func (r *replay) restore(m moment) (nbd.Loss, error) {
	return r.journal.Restore(m.at, rand.New(rand.NewPCG(r.seed, uint64(m.at))))
}

// choose picks the boundaries, and instants within each step until there are
// enough.
func (r *replay) choose() {
	marks, of := r.journal.Marks(), -1
	type span struct {
		from, to int
		set      *set
		what     string
	}
	var spans []span
	for i, m := range marks {
		if m.Text == "begin" {
			of++
		}
		if m.At < r.from {
			continue
		}
		set := r.lives[of].set
		r.moments = append(r.moments, moment{m.At, set, "before " + m.Text})
		if i+1 < len(marks) && marks[i+1].At > m.At+2 {
			spans = append(spans, span{m.At + 2, marks[i+1].At, set, m.Text})
		}
	}
	for len(r.moments) < r.atLeast {
		s := spans[r.random.IntN(len(spans))]
		r.moments = append(r.moments, moment{s.from + r.random.IntN(s.to-s.from), s.set, "within " + s.what})
	}
}

// judge looks at what a boot has made of a moment.
func (r *replay) judge(m moment, said report) {
	lost, acknowledged := m.set.missing(m.at, said.Held)
	when := fmt.Sprintf("moment %d (%s, %s): ", m.at, m.set.volume, m.what)
	switch {
	case said.Word == "READY" && len(lost) == 0:
		r.converged++
	case said.Word == "READY":
		r.losses++
		r.t.Errorf("%slost %s", when, strings.Join(lost, ", "))
	case said.Word == "REFUSED" && acknowledged > 0:
		r.refused++
		r.untouched(m, when)
	default:
		r.t.Errorf("%s%s", when, said.Text)
	}
}

// untouched makes sure that a refusal has written nothing.
func (r *replay) untouched(m moment, when string) {
	after := r.hashes(m.set)
	if _, err := r.restore(m); err != nil {
		r.t.Error(err)
	}
	if !slices.Equal(after, r.hashes(m.set)) {
		r.losses++
		r.t.Errorf("%srefused, and written to", when)
	}
}

func (r *replay) hashes(s *set) []string {
	var all []string
	for _, d := range s.disks {
		h, err := d.Hash()
		if err != nil {
			r.t.Error(err)
		}
		all = append(all, h)
	}
	return all
}
