package latency

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs/blockdevice"
)

const sector = 512 // bytes, whatever the device's own are (Documentation/block/stat.rst)

// Counters are what a disk did since it appeared.
type Counters struct {
	Time        time.Time
	Read, Write Side          // Stuck: some are under way
	Busy        time.Duration // with anything under way
	Queued      time.Duration // of all requests together
	Exceeded    *Exceeded     // nil: EBS does not say
}

// Exceeded is for how many seconds more was asked for than EBS allows, since
// the volume was attached.
type Exceeded struct {
	VolumeIOPS         float64
	VolumeThroughput   float64
	InstanceIOPS       float64
	InstanceThroughput float64
}

// ReadCounters reads them for the disk of this kernel name, under sys ("/sys").
// It asks the kernel only, never the disk.
func ReadCounters(sys, name string, now time.Time) (Counters, error) {
	fs, err := blockdevice.NewFS("/proc", sys)
	if err != nil {
		return Counters{}, fmt.Errorf("cannot read statistics of disks: %w", err)
	}
	s, fields, err := fs.SysBlockDeviceStat(name)
	if err != nil {
		return Counters{}, fmt.Errorf("cannot read statistics of %s: %w", name, err)
	}
	if fields < 11 {
		return Counters{}, fmt.Errorf("cannot read statistics of %s: %d numbers, expected 11 at the least", name, fields)
	}
	var under [2]int64
	text, err := os.ReadFile(filepath.Join(sys, "block", name, "inflight"))
	if err == nil {
		_, err = fmt.Sscan(string(text), &under[0], &under[1])
	}
	if err != nil {
		return Counters{}, fmt.Errorf("cannot read what %s has under way: %w", name, err)
	}
	return Counters{
		Time:  now,
		Read:  Side{int64(s.ReadIOs), int64(s.ReadSectors) * sector, millis(s.ReadTicks), under[0] > 0},
		Write: Side{int64(s.WriteIOs), int64(s.WriteSectors) * sector, millis(s.WriteTicks), under[1] > 0},
		Busy:  millis(s.IOsTotalTicks), Queued: millis(s.WeightedIOTicks),
	}, nil
}

func millis(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }

// Since is what was done since earlier counters; false if these are another
// disk's, or too long ago or too near to be one interval.
func (c Counters) Since(before Counters) (Sample, bool) {
	s := Sample{
		Took: c.Time.Sub(before.Time), Busy: c.Busy - before.Busy, Queued: c.Queued - before.Queued,
		Read: c.Read.since(before.Read), Write: c.Write.since(before.Write),
		Limit: c.Exceeded.since(before.Exceeded, c.Time.Sub(before.Time)),
	}
	ok := s.Took > Interval/2 && s.Took < 3*Interval && s.Read.valid() && s.Write.valid() && s.Busy >= 0
	return s, ok
}

func (s Side) since(before Side) Side {
	d := Side{Ops: s.Ops - before.Ops, Bytes: s.Bytes - before.Bytes, Wait: s.Wait - before.Wait}
	d.Stuck = s.Stuck && before.Stuck && d.Ops == 0
	if d.Bytes == 0 && d.valid() {
		d.Ops, d.Wait = 0, 0 // flushes: NVMe's multipath counts them as reads (nvme_mpath_end_request)
	}
	return d
}

func (s Side) valid() bool { return s.Ops >= 0 && s.Bytes >= 0 && s.Wait >= 0 }

// since is the limit that was at work the longest; a limit explains nothing that
// was not at work for limitShare of the time.
func (e *Exceeded) since(before *Exceeded, took time.Duration) Limit {
	if e == nil || before == nil {
		return NotKnown
	}
	limit, longest := None, limitShare*took.Seconds()
	for _, l := range []struct {
		Limit
		grew float64
	}{
		{VolumeIOPS, e.VolumeIOPS - before.VolumeIOPS},
		{VolumeThroughput, e.VolumeThroughput - before.VolumeThroughput},
		{InstanceIOPS, e.InstanceIOPS - before.InstanceIOPS},
		{InstanceThroughput, e.InstanceThroughput - before.InstanceThroughput},
	} {
		if l.grew >= longest {
			limit, longest = l.Limit, l.grew
		}
	}
	return limit
}
