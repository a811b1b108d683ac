package latency

import "time"

// How much evidence it takes. A latency adds the logarithm of its ratio to the
// baseline, less what is allowed (leastRise, or what is usual at this load).
const (
	mostEvidence = 0.35 // that one latency adds: it takes several to be believed
	believed     = 2.7  // the sum at which the disk is degraded
	doubtful     = 1.2  // the sum from which on nothing is learnt
	leak         = 0.99

	// Stalls: single intervals that take much longer, again and again.
	stalled    = 1.4  // ln of the ratio from which on an interval counts
	stallMind  = 60   // intervals over which their share is taken
	stallShare = 0.10 // of the intervals, above five times the usual share
	stallLeast = 5    // separate stalls
	stallSpan  = 12 * time.Minute
	stallUsual = 6 * 60 * 24 // intervals over which the usual share is taken

	wellRise = 0.5 // ln of the ratio below which a disk is well
	wellStep = 0.5 // most that one latency says for it
	wellSum  = 4.5
	wellIdle = 30 * time.Minute // without requests, nothing is known any more
)

// change adds up evidence that a disk became slow at one kind of request.
//
//	        sum ≥ believed, or stalls
//	well ───────────────────────────▶ degraded
//	  ▲                                   │ near the baseline for minutes, or idle for long
//	  └───────────────────────────────────┘
type change struct {
	sum    float64
	onset  time.Time             // since when sum is above zero
	last   time.Time             // of the last latency
	share  float64               // of intervals that stalled, lately
	usual  float64               // and usually
	starts [stallLeast]time.Time // of the last stalls, as a ring
	next   int
	inside bool // the last interval stalled

	degraded bool
	stalls   bool      // by stalls and not on the whole
	since    time.Time // when it began to become slow
	well     float64
}

// add takes up a latency: its rise over the median of the baseline, what of
// that is allowed, and for how many intervals it stands.
func (c *change) add(now time.Time, rise, allow, weight float64) {
	c.last = now
	c.stall(now, rise > max(stalled, allow+0.3))
	step := min(rise-allow, mostEvidence) * weight
	if c.sum = max(c.sum*leak+step, 0); c.sum == 0 {
		c.onset = time.Time{}
	} else if c.onset.IsZero() {
		c.onset = now.Add(-Interval)
	}
	if c.degraded {
		c.recover(rise)
		return
	}
	switch {
	case c.sum >= believed:
		c.degraded, c.stalls, c.since, c.well = true, false, c.onset, 0
	case c.stalling(now):
		c.degraded, c.stalls, c.since, c.well = true, true, c.starts[c.next], 0
	}
}

func (c *change) stall(now time.Time, is bool) {
	x := 0.0
	if is {
		x = 1
	}
	c.share += (x - c.share) / stallMind
	if !c.degraded {
		c.usual += (x - c.usual) / stallUsual
	}
	if is && !c.inside {
		c.starts[c.next] = now
		c.next = (c.next + 1) % stallLeast
	}
	c.inside = is
}

// stalling says whether there were enough separate stalls lately.
func (c *change) stalling(now time.Time) bool {
	oldest := c.starts[c.next]
	return !oldest.IsZero() && now.Sub(oldest) < stallSpan && c.share > stallShare+5*c.usual
}

func (c *change) recover(rise float64) {
	c.well = max(c.well+max(min(wellRise-rise, wellStep), -wellStep), 0)
	if c.well < wellSum || c.stalls && c.share > stallShare/4 {
		return
	}
	*c = change{last: c.last, usual: c.usual}
}

// idle takes up that there were no requests.
func (c *change) idle(now time.Time) {
	quiet := now.Sub(c.last)
	switch {
	case c.degraded && quiet > wellIdle:
		*c = change{usual: c.usual}
	case !c.degraded && quiet > 10*time.Minute:
		c.sum, c.onset = 0, time.Time{}
	}
}

// calm says whether what is seen now may be learnt.
func (c *change) calm() bool { return !c.degraded && c.sum < doubtful }
