// Package vitals looks at the machine that everything runs on: processors,
// memory, disks, the room on file systems, the clock.
//
// It looks again and again, by itself, one look of a kind at a time: one that
// hangs keeps no other from being done, and what it would have told gets old,
// which is a failure to everyone who reads it (health.Check.MaxAge). It never
// writes and needs no privilege. Nothing here opens a device or a file on a
// volume; the one call that a dead disk can keep for ever, statfs, is made for
// each place by a goroutine of its own. Values are in the units of spec.Limits:
// percent, seconds, hours; those of Families are Prometheus's.
package vitals

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/health"
)

// every is how often the machine is looked at.
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

// Seen is what one look has found.
type Seen struct {
	Checks   []health.Check
	Families []health.Family
	// Nothing could be seen this time: what was found before stays, and gets old.
	Nothing bool
}

// Look is one kind of look. Another look with the same Key is the same one: it
// goes on as it is.
type Look struct {
	Key   string
	Check string        // fails while the first look has not ended
	Every time.Duration // 0: as often as the machine itself is looked at
	See   func(ctx context.Context, now time.Time) Seen
}

// Watcher looks at a machine. It may be used by several goroutines.
type Watcher struct {
	host Host

	mu     sync.Mutex
	probes []*probe
	limits Limits
}

// probe is a look, and what it found last.
type probe struct {
	Look
	always bool
	stop   context.CancelFunc
	began  time.Time

	at   time.Time // zero: no look has ended
	seen Seen
}

// Watch looks at the machine until ctx ends.
func Watch(ctx context.Context, h Host) *Watcher {
	w := &Watcher{host: h}
	for _, l := range whole(h) {
		w.begin(ctx, &probe{Look: l, always: true})
	}
	return w
}

// whole are the looks at what there is one of.
func whole(h Host) []Look {
	k, d, c := &kernel{host: h}, &disks{host: h, known: map[string]*disk{}}, &clock{host: h}
	return []Look{
		{Check: "processor", See: func(_ context.Context, now time.Time) Seen { return k.look(now) }},
		{Check: "disks", See: func(_ context.Context, now time.Time) Seen { return d.look(now) }},
		{Check: "clock", See: func(_ context.Context, now time.Time) Seen { return c.look(now) }},
	}
}

// Follow makes these the looks that are done beside those at the machine itself;
// others end. From now on all that is measured is judged by limits.
func (w *Watcher) Follow(ctx context.Context, looks []Look, limits Limits) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limits = limits
	var kept []*probe
	for _, p := range w.probes {
		if p.always || slices.ContainsFunc(looks, func(l Look) bool { return l.Key == p.Key }) {
			kept = append(kept, p)
			continue
		}
		p.stop()
	}
	w.probes = kept
	for _, l := range looks {
		if !slices.ContainsFunc(kept, func(p *probe) bool { return !p.always && p.Key == l.Key }) {
			w.begin(ctx, &probe{Look: l})
		}
	}
}

func (w *Watcher) begin(ctx context.Context, p *probe) {
	ctx, p.stop = context.WithCancel(ctx)
	p.began = w.host.Now()
	if p.Every == 0 {
		p.Every = every
	}
	w.probes = append(w.probes, p)
	go func() {
		tick := time.NewTicker(p.Every)
		defer tick.Stop()
		for {
			w.once(ctx, p)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

func (w *Watcher) once(ctx context.Context, p *probe) {
	now := w.host.Now()
	seen := p.See(ctx, now)
	for i := range seen.Checks {
		seen.Checks[i].MaxAge = p.patience()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !seen.Nothing {
		p.at, p.seen = now, seen
	}
}

// patience is how old what it found may get: a look or two may be missed.
func (p *probe) patience() time.Duration { return max(health.MaxAge, 4*p.Every) }

// Seen returns what was found last, in a steady order. Of a look that hangs the
// checks stay, to get old, and the numbers go.
func (w *Watcher) Seen() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.host.Now()
	var all Seen
	for _, p := range w.probes {
		switch {
		case p.at.IsZero() && now.Sub(p.began) > p.patience():
			all.Checks = append(all.Checks, health.Check{Name: p.Check, Time: p.began, MaxAge: p.patience(), Quiet: true})
		case p.at.IsZero():
		default:
			all.Checks = append(all.Checks, p.seen.Checks...)
			if now.Sub(p.at) <= p.patience() {
				all.Families = merge(all.Families, p.seen.Families)
			}
		}
	}
	w.limits.Judge(all.Checks)
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
