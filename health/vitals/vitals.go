// Package vitals looks at the machine that everything runs on: processors,
// memory, disks, the room on file systems, the clock.
//
// It looks again and again, by itself, one look of a kind at a time: one that
// hangs keeps no other from being done, and what it would have told gets old,
// which is a failure to everyone who reads it (health.Check.MaxAge). It never
// writes and needs no privilege. Nothing here opens a device or a file on a
// volume; the one call that a dead disk can keep for ever, statfs, is made for
// each place by a goroutine of its own. Values are in the units that Limits
// names: percent, seconds, hours; those of Families are Prometheus's.
package vitals

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/health"
)

// every is how often each thing is looked at.
const every = 5 * time.Second

// Host is where the machine is seen.
type Host struct {
	Proc, Sys string // "/proc", "/sys"
	Statfs    func(path string) (unix.Statfs_t, error)
	Clock     func() (unix.Timex, error) // as adjtimex(2) tells it, changing nothing
	Now       func() time.Time           // with the monotonic clock's reading
}

// This returns the machine that the process runs on.
func This() Host {
	return Host{
		Proc: "/proc", Sys: "/sys", Now: time.Now,
		Statfs: func(path string) (s unix.Statfs_t, err error) { return s, unix.Statfs(path, &s) },
		Clock: func() (t unix.Timex, err error) {
			_, err = unix.Adjtimex(&t)
			return t, err
		},
	}
}

// Place is a mounted file system to look after.
type Place struct {
	Path     string // where it is mounted
	ReadOnly bool   // as asked for
}

// Seen is what one kind of look has found.
type Seen struct {
	Checks   []health.Check
	Families []health.Family
}

// Watcher looks at a machine. It may be used by several goroutines.
type Watcher struct {
	host Host

	mu     sync.Mutex
	probes []*probe
}

// probe is one kind of look, and what it found last.
type probe struct {
	name  string // of the check that fails while nothing was ever found
	look  func(now time.Time) Seen
	stop  context.CancelFunc
	began time.Time
	place Place // the zero Place unless it is one's

	at   time.Time // zero: no look has ended
	seen Seen
}

// Watch looks at the machine until ctx ends.
func Watch(ctx context.Context, h Host) *Watcher {
	w := &Watcher{host: h}
	for _, p := range whole(h) {
		w.begin(ctx, p)
	}
	return w
}

// whole are the looks at what there is one of.
func whole(h Host) []*probe {
	return []*probe{
		{name: "processor", look: (&kernel{host: h}).look},
		{name: "disks", look: (&disks{host: h, known: map[string]*disk{}}).look},
		{name: "clock", look: (&clock{host: h}).look},
	}
}

// Follow makes places those that are looked after; others are forgotten.
func (w *Watcher) Follow(ctx context.Context, places []Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var kept []*probe
	for _, p := range w.probes {
		if p.place.Path == "" || slices.Contains(places, p.place) {
			kept = append(kept, p)
			continue
		}
		p.stop()
	}
	w.probes = kept
	for _, place := range places {
		if !slices.ContainsFunc(kept, func(p *probe) bool { return p.place == place }) {
			s := &space{host: w.host, place: place}
			w.begin(ctx, &probe{name: "space:" + place.Path, look: s.look, place: place})
		}
	}
}

func (w *Watcher) begin(ctx context.Context, p *probe) {
	ctx, p.stop = context.WithCancel(ctx)
	p.began = w.host.Now()
	w.probes = append(w.probes, p)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			w.once(p)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

func (w *Watcher) once(p *probe) {
	now := w.host.Now()
	seen := p.look(now)
	w.mu.Lock()
	defer w.mu.Unlock()
	p.at, p.seen = now, seen
}

// Seen returns what was found last, in a steady order. Of a look that hangs the
// checks stay, to get old, and the numbers go.
func (w *Watcher) Seen() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.host.Now()
	var all Seen
	for _, p := range w.probes {
		switch {
		case p.at.IsZero() && now.Sub(p.began) > health.MaxAge:
			all.Checks = append(all.Checks, health.Check{Name: p.name, Time: p.began, Quiet: true})
		case p.at.IsZero():
		default:
			all.Checks = append(all.Checks, p.seen.Checks...)
			if now.Sub(p.at) <= health.MaxAge {
				all.Families = merge(all.Families, p.seen.Families)
			}
		}
	}
	return all
}

// merge joins families of the same name, which several places have.
func merge(to, from []health.Family) []health.Family {
	for _, f := range from {
		i := slices.IndexFunc(to, func(g health.Family) bool { return g.Name == f.Name })
		if i < 0 {
			f.Samples = slices.Clone(f.Samples)
			to = append(to, f)
			continue
		}
		to[i].Samples = append(to[i].Samples, f.Samples...)
	}
	return to
}
