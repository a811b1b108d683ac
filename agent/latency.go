package agent

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"bootswain/ebs"
	"bootswain/health"
	"bootswain/health/latency"
	"bootswain/internal/situation"
)

const (
	// keepEvery is how often what was learnt of disks is kept.
	keepEvery = time.Hour
	// answerSoon is how long EBS's statistics are waited for; an answer takes a
	// millisecond.
	answerSoon = 500 * time.Millisecond
	// answersKept are those of the last two minutes.
	answersKept = 12
)

// disk is a disk of a volume whose latency is watched.
type disk struct{ volume, id, name, path string }

// watched returns the disks of the volumes that are up.
func (d *daemon) watched() (disks []disk) {
	for _, name := range d.order {
		v := d.views[name]
		if !v.passed || v.trouble != nil {
			continue
		}
		for _, dev := range v.state.Devices {
			disks = append(disks, disk{name, dev.VolumeID, dev.Name, dev.Path})
		}
	}
	return disks
}

// withLatency adds to a report how long disks take.
func (d *daemon) withLatency(r health.Report) health.Report {
	r.Checks, r.Numbers.Metrics = append(r.Checks, d.latency.checks...), append(r.Numbers.Metrics, d.latency.families()...)
	r.Numbers.Series = append(r.Numbers.Series, d.latency.series()...)
	return r
}

// latencies watches how long disks take; only its goroutine touches it.
type latencies struct {
	*Agent
	devices  ebs.Host
	trackers latency.Trackers
	before   map[string]latency.Counters  // by id
	asking   map[string]chan answered     // of EBS: one question at a time
	said     map[string][]ebs.Performance // the last answers
	mute     map[string]bool              // disks that have no statistics of EBS's
	degraded map[string]bool              // volumes that were, when last looked at
}

// answered is what EBS said of a disk.
type answered struct {
	ebs.Performance
	err error
}

// followLatency measures the disks that are watched, at each interval until ctx
// ends.
func (d *daemon) followLatency(ctx context.Context, post func(func())) {
	trackers, err := latency.Load(latency.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.say("latency: %v; learning anew", err)
	}
	l := &latencies{
		Agent: d.Agent, devices: devices, trackers: trackers, before: map[string]latency.Counters{},
		asking: map[string]chan answered{}, said: map[string][]ebs.Performance{}, mute: map[string]bool{}, degraded: map[string]bool{},
	}
	keep := func() {
		if err := l.trackers.Save(latency.Path, time.Now()); err != nil {
			d.say("latency: %v", err)
		}
	}
	defer keep()
	tick := time.NewTicker(latency.Interval)
	defer tick.Stop()
	kept, disks := time.Now(), make(chan []disk, 1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			post(func() { disks <- d.watched() })
		case now := <-disks:
			seen := l.look(now, time.Now())
			post(func() { d.latency = seen })
			if time.Since(kept) >= keepEvery {
				kept = time.Now()
				keep()
			}
		}
	}
}

// look takes up an interval of each disk.
func (l *latencies) look(disks []disk, now time.Time) (all latencySeen) {
	counters := map[string]latency.Counters{}
	for i, d := range disks {
		c, err := latency.ReadCounters(l.devices.Sys, d.name, now)
		if err != nil {
			continue // it is gone; its volume's own check tells
		}
		c.Exceeded = l.exceeded(d)
		counters[d.id] = c
		t := l.trackers[d.id]
		if t == nil {
			t = latency.NewTracker()
			l.trackers[d.id] = t
		}
		if s, ok := c.Since(l.before[d.id]); ok {
			t.Observe(now, s)
		}
		all.disks = append(all.disks, diskSeen{d, t.Disk(), c.Exceeded, t.Sentence(d.volume, d.id, l.inside(d), now)})
		if last := i == len(disks)-1 || disks[i+1].volume != d.volume; last {
			all.checks = append(all.checks, l.check(d.volume, all.disks, now))
		}
	}
	l.before = counters
	return all
}

// check is what is to be said of a volume by its disks, and says it where it is
// news.
func (l *latencies) check(volume string, disks []diskSeen, now time.Time) health.Check {
	s := &situation.Situation{Word: situation.Ready, Subject: volume, Text: "its disks take as long as usual."}
	var texts []string
	worst := 0.0
	for _, d := range disks {
		if d.volume != volume {
			continue
		}
		worst = max(worst, d.Read.Ratio, d.Write.Ratio)
		if d.sentence != nil {
			s = d.sentence
			texts = append(texts, s.Text)
		}
	}
	if len(texts) > 0 {
		s.Text = strings.Join(texts, " ")
	}
	if is := len(texts) > 0; is != l.degraded[volume] {
		l.degraded[volume] = is
		l.say("%s", s)
	}
	c := health.CheckOf("latency:"+volume, s, now)
	c.Quiet, c.MaxAge = true, 6*latency.Interval
	if worst > 0 {
		c.Value, c.Unit = &worst, "times the baseline"
	}
	return c
}

// exceeded is what EBS says of its limits, nil where it does not. A disk that
// does not answer is not waited for.
func (l *latencies) exceeded(d disk) *latency.Exceeded {
	if l.mute[d.id] {
		return nil
	}
	answer, asked := l.asking[d.id]
	if !asked {
		answer = make(chan answered, 1)
		l.asking[d.id] = answer
		go func() {
			p, err := l.devices.Performance(d.path)
			answer <- answered{p, err}
		}()
	}
	select {
	case a := <-answer:
		delete(l.asking, d.id)
		l.mute[d.id] = errors.Is(a.err, ebs.ErrNoPerformance)
		if a.err != nil {
			return nil
		}
		l.said[d.id] = append(l.said[d.id], a.Performance)
		if said := l.said[d.id]; len(said) > answersKept {
			l.said[d.id] = said[1:]
		}
		return &latency.Exceeded{
			VolumeIOPS: a.VolumeIOPS.Seconds(), VolumeThroughput: a.VolumeThroughput.Seconds(),
			InstanceIOPS: a.InstanceIOPS.Seconds(), InstanceThroughput: a.InstanceThroughput.Seconds(),
		}
	case <-time.After(answerSoon):
		return nil
	}
}

// inside is what half of the reads and of the writes of the last minutes took in
// EBS itself; 0 where that is not known.
func (l *latencies) inside(d disk) (p50 [2]time.Duration) {
	if said := l.said[d.id]; len(said) > 0 {
		first, last := said[0], said[len(said)-1]
		p50 = [2]time.Duration{ebs.Median(first.ReadLatency, last.ReadLatency), ebs.Median(first.WriteLatency, last.WriteLatency)}
	}
	return p50
}
