// Package latency finds out that a disk becomes slow before people do: it
// learns how long each disk takes for reads and writes at which load, keeps
// that over restarts, and says when it takes much longer at like load.
//
// It never touches a disk: it is given what the kernel, and EBS, counted. Times
// are durations, in what is published seconds; sizes are bytes; ratios are to
// the baseline, 3 means three times as long. What people read comes back as a
// *situation.Situation.
//
// How it decides, in the order of the files:
//
//	sample    what was done in an interval of 10 s, from two readings of counters
//	sketch    the latencies that were seen, as counts by size, fading in weeks
//	baseline  a sketch for each kind of load: operation, size, requests and bytes a second
//	change    evidence adds up while latency is far over the baseline, and is used up while it is not
//	tracker   one disk: what is learnt from, when it is degraded, when it is well again
//	store     what is kept over restarts
package latency

import "time"

// Interval is how often a disk is looked at.
const Interval = 10 * time.Second

// Sample is what a disk did in an interval.
type Sample struct {
	Took        time.Duration // the interval
	Read, Write Side
	Busy        time.Duration // with anything under way
	Queued      time.Duration // of all requests together
	Limit       Limit         // which limit of EBS was at work; NotKnown where EBS does not say
}

// Side is what it did of one kind.
type Side struct {
	Ops, Bytes int64
	Wait       time.Duration // of all requests together, from their issue to their end
	Stuck      bool          // some are under way, and none has ended
}

// mean is the latency of a request.
func (s Side) mean() time.Duration { return s.Wait / time.Duration(max(s.Ops, 1)) }

// Limit is what EBS allows no more of.
type Limit string

// The limits.
const (
	NotKnown           Limit = "not known"
	None               Limit = ""
	VolumeIOPS         Limit = "volume IOPS"
	VolumeThroughput   Limit = "volume throughput"
	InstanceIOPS       Limit = "instance IOPS"
	InstanceThroughput Limit = "instance throughput"
)

func (l Limit) reached() bool { return l != None && l != NotKnown }

// limitShare is the share of an interval that a limit of EBS must be at work to
// explain what it took.
const limitShare = 0.02
