package latency

import (
	"fmt"
	"strings"
	"time"

	"bootswain/internal/situation"
)

// Sentence says that a disk is degraded, and by what that is known; nil where
// it is not. volume is the name of the volume it belongs to, id its own; inside
// is what EBS says that half of the reads, and of the writes, took in EBS itself,
// 0 where it does not.
func (t *Tracker) Sentence(volume, id string, inside [2]time.Duration, now time.Time) *situation.Situation {
	var all []string
	next := ""
	for i, kind := range []string{"read", "write"} {
		s := &t.sides[i]
		if !s.slow() {
			continue
		}
		p50, times := s.lately()
		c, why, what := &s.change, "not an EBS limit", sick
		switch {
		case !s.degraded:
			c, why, what = &s.limited, "an EBS limit: "+string(s.limit)+" used up", more[s.limit]
		case t.last.Limit == NotKnown:
			why = "whether an EBS limit is not known"
		}
		took := inWords(p50)
		if inside[i] > 0 {
			took += " (" + inWords(inside[i]) + " in EBS)"
		}
		evidence := fmt.Sprintf("%s p50 %s, %s baseline at like load, %s", kind, took, multiple(times), since(c.since, now))
		if s.degraded && s.stalls {
			evidence = fmt.Sprintf("%s stalls in %.0f %% of intervals, four times baseline and more, %s", kind, s.share*100, since(c.since, now))
		}
		if !s.degraded {
			evidence = strings.Replace(evidence, " at like load", "", 1)
		}
		all = append(all, evidence+"; "+why)
		if next == "" || s.degraded {
			next = what
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &situation.Situation{
		Word: situation.Degraded, Subject: volume, Text: id + " " + strings.Join(all, ". ") + ".", Next: next,
	}
}

// What a person can do. A volume that is slow by itself is Amazon's to repair;
// what helps at once is other hardware: an instance that stops and starts again
// gets some, and so does a volume made from a snapshot.
const sick = "look at the volume's and the instance's events in EC2; if it lasts, replace the volume from a snapshot, or stop and start the instance"

var more = map[Limit]string{
	VolumeIOPS:         "ask for less, or give the volume more IOPS (aws ec2 modify-volume --iops)",
	VolumeThroughput:   "ask for less, or give the volume more throughput (aws ec2 modify-volume --throughput)",
	InstanceIOPS:       "ask for less, or take an instance type with more EBS IOPS",
	InstanceThroughput: "ask for less, or take an instance type with more EBS bandwidth",
}

// inWords is a latency with two digits at most after the point.
func inWords(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms >= 1000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 5:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

func multiple(times float64) string {
	if times >= 5 {
		return fmt.Sprintf("%.0f×", times)
	}
	return fmt.Sprintf("%.1f×", times)
}

func since(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%.0fm", max(d.Minutes(), 1))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}
