package latency

import "time"

const (
	maxHistory = 72 // points
	// PointEvery is the time between two points of a history.
	PointEvery = 5 * time.Minute
)

// Disk is one disk in the last interval.
type Disk struct {
	Read     Figures
	Write    Figures
	Busy     float64 // share of the interval with a request under way, 0 to 1
	Queue    float64 // requests under way on average
	Limit    Limit   // of EBS, that holds it back
	Learning bool    // not enough was seen to judge
	Degraded bool
	History  []Point // of the last six hours, the oldest first
}

// Figures are one kind of request: a second's, and what they took in seconds.
type Figures struct {
	IOPS     float64
	Bytes    float64
	Latency  float64 // 0: there were none
	Baseline float64 // at like load; 0: not known
	Ratio    float64 // 0: not known
}

// Point is the latency of five minutes, in seconds; 0 where there is none.
type Point struct {
	Time          time.Time // their end
	Read          float64
	ReadBaseline  float64
	Write         float64
	WriteBaseline float64
}

// Disk returns the figures of the last interval.
func (t *Tracker) Disk() Disk {
	d := t.last
	d.Learning = !t.judges(t.at)
	d.History = t.history.points
	return d
}

// figures takes down an interval for people.
func (t *Tracker) figures(now time.Time, s Sample) {
	seconds := s.Took.Seconds()
	t.at = now
	t.last = Disk{
		Busy: min(s.Busy.Seconds()/seconds, 1), Queue: s.Queued.Seconds() / seconds, Limit: s.Limit,
		Degraded: t.sides[0].slow() || t.sides[1].slow(),
	}
	for i, f := range []*Figures{&t.last.Read, &t.last.Write} {
		part := [2]Side{s.Read, s.Write}[i]
		f.IOPS, f.Bytes = float64(part.Ops)/seconds, float64(part.Bytes)/seconds
		if part.Ops == 0 {
			continue
		}
		f.Latency = part.mean().Seconds()
		if usual := t.sides[i].usual; usual != nil {
			f.Baseline = usual.usual.Seconds()
			f.Ratio = f.Latency / f.Baseline
		}
	}
	t.history.add(now, s, t.last)
}

// judges says whether enough is known to judge.
func (t *Tracker) judges(now time.Time) bool {
	return t.base.known() && now.Sub(t.first) >= learning
}

// slow says whether one kind of request is slow, for whatever reason.
func (s *side) slow() bool { return s.degraded || s.limited.degraded }

// history is what a chart shows.
type history struct {
	points []Point
	begun  time.Time
	sums   [2]Side
	usual  [2]float64 // baselines, by requests
}

func (h *history) add(now time.Time, s Sample, d Disk) {
	if h.begun.IsZero() {
		h.begun = now.Add(-s.Took)
	}
	for i, part := range [2]Side{s.Read, s.Write} {
		h.sums[i].Ops += part.Ops
		h.sums[i].Wait += part.Wait
		h.usual[i] += [2]Figures{d.Read, d.Write}[i].Baseline * float64(part.Ops)
	}
	if now.Sub(h.begun) < PointEvery {
		return
	}
	p := Point{Time: now}
	p.Read, p.ReadBaseline = h.mean(0)
	p.Write, p.WriteBaseline = h.mean(1)
	if len(h.points) == maxHistory {
		h.points = h.points[1:]
	}
	*h = history{points: append(h.points, p), begun: now}
}

func (h *history) mean(i int) (latency, usual float64) {
	if h.sums[i].Ops == 0 {
		return 0, 0
	}
	return h.sums[i].mean().Seconds(), h.usual[i] / float64(h.sums[i].Ops)
}
