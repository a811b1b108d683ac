package agent

import (
	"fmt"
	"math"
	"time"

	"bootswain/health"
	"bootswain/health/latency"
	"bootswain/internal/situation"
)

// latencySeen is what was measured in the last interval.
type latencySeen struct {
	checks []health.Check
	disks  []diskSeen
}

type diskSeen struct {
	disk
	latency.Disk
	exceeded *latency.Exceeded    // nil: EBS does not say
	sentence *situation.Situation // nil: it takes as long as usual
}

// of returns the figures of "read" or "write".
func (d diskSeen) of(op string) latency.Figures {
	if op == "write" {
		return d.Write
	}
	return d.Read
}

// families are the measurements for Prometheus.
func (s latencySeen) families() []health.Family {
	took := health.Family{Name: "bootswain_disk_latency_seconds", Kind: health.Gauge, Help: "How long a request took on average in the last ten seconds."}
	usual := health.Family{Name: "bootswain_disk_latency_baseline_seconds", Kind: health.Gauge, Help: "How long a request usually takes on this disk at like load."}
	degraded := health.Family{Name: "bootswain_disk_degraded", Kind: health.Gauge, Help: "Whether a disk takes much longer than usual at like load, or is held back by a limit of EBS."}
	exceeded := health.Family{Name: "bootswain_disk_ebs_exceeded_seconds_total", Kind: health.Counter, Help: "For how long more was asked of a volume than a limit of EBS allows."}
	for _, d := range s.disks {
		labels := func(name, value string) map[string]string {
			l := map[string]string{"volume": d.volume, "disk": d.id}
			if name != "" {
				l[name] = value
			}
			return l
		}
		for _, op := range []string{"read", "write"} {
			f := d.of(op)
			if f.Latency > 0 {
				took.Samples = append(took.Samples, health.Sample{Labels: labels("op", op), Value: f.Latency})
			}
			if f.Baseline > 0 {
				usual.Samples = append(usual.Samples, health.Sample{Labels: labels("op", op), Value: f.Baseline})
			}
		}
		is := 0.0
		if d.Degraded {
			is = 1
		}
		degraded.Samples = append(degraded.Samples, health.Sample{Labels: labels("", ""), Value: is})
		if e := d.exceeded; e != nil {
			exceeded.Samples = append(exceeded.Samples,
				health.Sample{Labels: labels("limit", "volume_iops"), Value: e.VolumeIOPS},
				health.Sample{Labels: labels("limit", "volume_throughput"), Value: e.VolumeThroughput},
				health.Sample{Labels: labels("limit", "instance_iops"), Value: e.InstanceIOPS},
				health.Sample{Labels: labels("limit", "instance_throughput"), Value: e.InstanceThroughput})
		}
	}
	var all []health.Family
	for _, f := range []health.Family{took, usual, degraded, exceeded} {
		if len(f.Samples) > 0 {
			all = append(all, f)
		}
	}
	return all
}

// series are the last hours for the status page: of reads and of writes of each
// disk that has any.
func (s latencySeen) series() (all []health.Series) {
	for _, d := range s.disks {
		for _, op := range []string{"read", "write"} {
			one := health.Series{
				Name: "latency:" + d.volume, Title: fmt.Sprintf("%s of %s: %s latency", d.id, d.volume, op),
				Unit: "seconds", Step: latency.PointEvery,
			}
			measured := false
			for _, p := range d.History {
				took, usual := p.Read, p.ReadBaseline
				if op == "write" {
					took, usual = p.Write, p.WriteBaseline
				}
				measured = measured || took > 0
				one.Values, one.Baseline = append(one.Values, shown(took)), append(one.Baseline, shown(usual))
			}
			if measured {
				one.Start = d.History[0].Time.Add(-latency.PointEvery).Truncate(time.Second)
				all = append(all, one)
			}
		}
	}
	return all
}

// shown is a number of seconds with what a chart can show of it; negative where
// there is none.
func shown(seconds float64) float64 {
	if seconds <= 0 {
		return -1
	}
	return math.Round(seconds*1e6) / 1e6
}
