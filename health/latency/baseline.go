package latency

import (
	"math"
	"math/bits"
	"time"
)

// load says at what load a latency was seen. Requests and bytes a second are
// taken by what ended, not by what is queued: a disk that becomes slow makes
// its queue longer, and must not seem to be loaded more because of that.
type load struct {
	write bool
	size  uint8 // of a request of this kind: 0 up to 4 KiB, then one more for each doubling
	rate  uint8 // requests of both kinds a second: 0 below 1, then one more for each fourfold
	bytes uint8 // MiB of both kinds a second, likewise
}

const (
	maxSize  = 8
	maxRate  = 10
	maxBytes = 8
	maxLoads = 96 // kinds of load that are kept of a disk

	enough     = 90         // latencies make a baseline: 15 minutes at the least
	fadeEvery  = 2 * 6 * 60 // latencies of a disk: an hour's reads and writes
	fadeFactor = 0.99794    // halves in 14 days of work
	retake     = 64         // quantiles are taken anew after so many more latencies

	// leastRise is the rise that is never evidence, ln of the ratio: what others
	// on the same hardware cause. tailShare is the share of what was learnt above
	// which latency is unusual.
	leastRise = 0.8
	tailShare = 0.985
)

// loadOf returns the kind of load of requests of one kind with this mean size,
// where both kinds together do rate requests and so many bytes a second.
func loadOf(write bool, size int64, rate, bytes float64) load {
	return load{
		write: write,
		size:  uint8(min(bits.Len64(uint64(max(size-1, 0))>>12), maxSize)),
		rate:  uint8(min((bits.Len64(uint64(rate))+1)/2, maxRate)),
		bytes: uint8(min((bits.Len64(uint64(bytes)>>20)+1)/2, maxBytes)),
	}
}

// heavier returns how much heavier other is; not at all if it is lighter in
// any regard.
func (l load) heavier(other load) (by int, ok bool) {
	if l.write != other.write || other.size < l.size || other.rate < l.rate || other.bytes < l.bytes {
		return 0, false
	}
	return int(other.size-l.size) + int(other.rate-l.rate) + int(other.bytes-l.bytes), true
}

// learnt is what is known of one kind of load.
type learnt struct {
	sketch
	fresh  int           // latencies since the quantiles were taken
	median float64       // as logOf measures
	usual  time.Duration // the same
	allow  float64       // the rise over the median that is no evidence
}

func (l *learnt) mature() bool { return l.total >= enough }

func (l *learnt) take() {
	l.fresh, l.median = 0, l.quantile(0.5)
	l.usual = durationOf(l.median)
	l.allow = max(leastRise, l.quantile(tailShare)-l.median)
}

// baseline is what a disk usually needs.
type baseline struct {
	loads map[load]*learnt
	added int // since it faded
}

// of returns what is usual at a load: what was learnt there or, if that is not
// enough, at the nearest heavier one, where it can only take longer. It returns
// nil where neither was seen: of a load that is heavier than ever nobody knows
// what is usual.
func (b *baseline) of(l load) *learnt {
	if at := b.loads[l]; at != nil && at.mature() {
		return at
	}
	var best *learnt
	nearest := math.MaxInt
	for other, at := range b.loads {
		by, ok := l.heavier(other)
		if ok && at.mature() && (by < nearest || by == nearest && at.median > best.median) {
			best, nearest = at, by
		}
	}
	return best
}

// longest returns what is usual at the load that takes longest; nil if none is
// known.
func (b *baseline) longest(write bool) *learnt {
	var best *learnt
	for l, at := range b.loads {
		if l.write == write && at.mature() && (best == nil || at.median > best.median) {
			best = at
		}
	}
	return best
}

// learn adds a latency.
func (b *baseline) learn(l load, ln float64) {
	at := b.loads[l]
	if at == nil {
		b.makeRoom()
		at = &learnt{}
		b.loads[l] = at
	}
	at.add(ln)
	if at.fresh++; at.fresh >= retake || at.total < 2*enough {
		at.take()
	}
	if b.added++; b.added >= fadeEvery {
		b.added = 0
		for _, at := range b.loads {
			at.fade(fadeFactor)
		}
	}
}

// makeRoom gives up the kind of load of which least is known.
func (b *baseline) makeRoom() {
	if len(b.loads) < maxLoads {
		return
	}
	var least load
	total := math.Inf(1)
	for l, at := range b.loads {
		if at.total < total {
			least, total = l, at.total
		}
	}
	delete(b.loads, least)
}

// forget gives up all that was learnt of reads, or of writes.
func (b *baseline) forget(write bool) {
	for l := range b.loads {
		if l.write == write {
			delete(b.loads, l)
		}
	}
}

// known says whether anything can be judged.
func (b *baseline) known() bool {
	for _, at := range b.loads {
		if at.mature() {
			return true
		}
	}
	return false
}

// ratio turns a difference of logarithms into times.
func ratio(rise float64) float64 { return math.Exp(min(rise, 10)) }

// least is the shortest time by which latency must be longer to matter: nobody
// notices less.
const least = 300 * time.Microsecond
