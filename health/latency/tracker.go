package latency

import (
	"slices"
	"time"
)

const (
	learning   = 6 * time.Hour      // a disk that was never seen before is not judged for so long
	acceptance = 7 * 24 * time.Hour // what lasted so long is how the disk is now
	fewOps     = 16                 // requests make a latency
	fewSlots   = 6                  // intervals in which they must come together
	evidence   = 12                 // latencies that the sentence speaks of
	afterwards = time.Minute        // so long after a limit of EBS it may be at work still, unseen
	crowd      = 8                  // requests under way on average make a queue
	nearly     = 0.7                // of the most that a disk ever did
	unsure     = 0.9                // of the evidence for a sick disk is left by an interval at a limit
)

// Tracker is what is known of one disk. It is not safe for concurrent use.
type Tracker struct {
	base    baseline
	first   time.Time // when it was first seen at work
	sides   [2]side   // reads, writes
	last    Disk      // figures of the last interval
	at      time.Time // its end
	history history

	mostRate, mostBytes float64 // a second, that it ever did
}

// NewTracker returns the tracker of a disk that was never seen.
func NewTracker() *Tracker {
	return &Tracker{base: baseline{loads: map[load]*learnt{}}}
}

// side is one kind of request.
type side struct {
	change            // at like load
	limited change    // while a limit of EBS was at work
	limit   Limit     // the last that was
	reached time.Time // when it was

	pending     Side // requests that do not make a latency yet
	slots       int
	took        time.Duration
	rate, bytes float64 // of both kinds in that time, summed
	wait        time.Duration
	held        Limit

	recent [evidence]seen // a ring
	n      int
	usual  *learnt // at the last load
}

// seen is a latency with its baseline, as logOf measures.
type seen struct{ ln, base float64 }

// Observe takes up an interval that ended now.
func (t *Tracker) Observe(now time.Time, s Sample) {
	if s.Took <= 0 {
		return
	}
	if t.first.IsZero() || t.first.After(now) { // the clock was wrong
		t.first = now
	}
	ops, bytes := float64(s.Read.Ops+s.Write.Ops), float64(s.Read.Bytes+s.Write.Bytes)
	for i, part := range [2]Side{s.Read, s.Write} {
		t.side(now, i == 1, part, s, ops, bytes)
	}
	t.figures(now, s)
}

// side collects an interval's requests of one kind until they make a latency.
func (t *Tracker) side(now time.Time, write bool, part Side, s Sample, ops, bytes float64) {
	c := &t.sides[index(write)]
	if part.Ops == 0 && part.Stuck && c.usual != nil && t.judges(now) {
		// None has ended: each takes at least as long as the interval.
		t.judge(now, c, logOf(s.Took), c.usual, 1)
		return
	}
	if part.Ops == 0 && c.pending.Ops == 0 {
		c.idle(now)
		c.limited.idle(now)
		return
	}
	p := &c.pending
	p.Ops, p.Bytes, p.Wait = p.Ops+part.Ops, p.Bytes+part.Bytes, p.Wait+part.Wait
	c.slots, c.took, c.rate, c.bytes = c.slots+1, c.took+s.Took, c.rate+ops, c.bytes+bytes
	c.wait += s.Read.Wait + s.Write.Wait
	if c.held == "" || s.Limit.reached() {
		c.held = s.Limit
	}
	if p.Ops < fewOps && c.slots < fewSlots {
		return
	}
	if p.Ops >= fewOps {
		t.latency(now, write, c)
	}
	c.pending, c.slots, c.took, c.rate, c.bytes, c.wait, c.held = Side{}, 0, 0, 0, 0, 0, ""
}

// latency judges what was collected, and learns from it.
func (t *Tracker) latency(now time.Time, write bool, c *side) {
	l := loadOf(write, c.pending.Bytes/c.pending.Ops, c.rate/c.took.Seconds(), c.bytes/c.took.Seconds())
	ln := logOf(c.pending.mean())
	if c.held == NotKnown && t.crowded(c) {
		c.reached = now
	}
	if c.held.reached() {
		t.atLimit(now, write, c, ln)
		return
	}
	if now.Sub(c.reached) < afterwards {
		return
	}
	c.limited.add(now, 0, leastRise, 1)
	c.usual = t.base.of(l)
	if c.usual != nil && now.Sub(t.first) >= learning {
		t.judge(now, c, ln, c.usual, min(float64(c.slots), 2))
	}
	if c.degraded && now.Sub(c.since) > acceptance {
		t.base.forget(write)
		c.change = change{}
	}
	if c.calm() {
		t.base.learn(l, ln)
	}
}

// crowded says whether as much is going on as ever, with a queue: what a limit
// looks like from outside.
func (t *Tracker) crowded(c *side) bool {
	seconds := c.took.Seconds()
	rate, bytes := c.rate/seconds, c.bytes/seconds
	t.mostRate, t.mostBytes = max(t.mostRate, rate), max(t.mostBytes, bytes)
	return c.wait.Seconds()/seconds > crowd && (rate > nearly*t.mostRate || bytes > nearly*t.mostBytes)
}

func (t *Tracker) judge(now time.Time, c *side, ln float64, usual *learnt, weight float64) {
	rise := ln - usual.median
	if durationOf(ln)-usual.usual < least {
		rise = min(rise, 0)
	}
	c.note(ln, usual.median)
	c.add(now, rise, usual.allow, weight)
}

// atLimit takes up a latency while EBS held requests back: it says nothing of
// the disk's health, and nothing is learnt from it.
func (t *Tracker) atLimit(now time.Time, write bool, c *side, ln float64) {
	c.limit, c.reached = c.held, now
	c.sum *= unsure
	usual := t.base.longest(write)
	if usual == nil || now.Sub(t.first) < learning {
		return
	}
	c.note(ln, usual.median)
	c.limited.add(now, ln-usual.median, usual.allow, 1)
}

func (c *side) note(ln, base float64) {
	c.recent[c.n%evidence] = seen{ln, base}
	c.n++
}

// lately returns the median of the last latencies, and of their ratios.
func (c *side) lately() (p50 time.Duration, times float64) {
	last := c.recent[:min(c.n, evidence)]
	if len(last) == 0 {
		return 0, 0
	}
	var lns, rises []float64
	for _, s := range last {
		lns, rises = append(lns, s.ln), append(rises, s.ln-s.base)
	}
	slices.Sort(lns)
	slices.Sort(rises)
	return durationOf(lns[len(lns)/2]), ratio(rises[len(rises)/2])
}

func index(write bool) int {
	if write {
		return 1
	}
	return 0
}
