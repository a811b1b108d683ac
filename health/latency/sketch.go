package latency

import (
	"math"
	"time"
)

// A sketch counts latencies in buckets whose width is a quarter of a doubling,
// from 10 µs to 20 s, so a quantile is right within 9 % with nothing kept but
// the counts (the idea of DDSketch, Masson and others, 2019).
const (
	perOctave = 4
	buckets   = 84
	shortest  = 10 * time.Microsecond
)

type sketch struct {
	counts [buckets]float32
	total  float64
}

// bucket is the place of ln(latency / shortest), in buckets.
func bucket(ln float64) int {
	return int(min(max(ln*perOctave/math.Ln2, 0), buckets-1))
}

// logOf is a latency as the sketch measures it.
func logOf(d time.Duration) float64 {
	return math.Log(float64(max(d, shortest)) / float64(shortest))
}

// durationOf is the reverse.
func durationOf(ln float64) time.Duration {
	return time.Duration(math.Exp(min(ln, 25)) * float64(shortest))
}

func (s *sketch) add(ln float64) {
	s.counts[bucket(ln)]++
	s.total++
}

// fade makes what was counted weigh less.
func (s *sketch) fade(factor float64) {
	s.total = 0
	for i := range s.counts {
		s.counts[i] *= float32(factor)
		s.total += float64(s.counts[i])
	}
}

// quantile returns the latency below which the share q of all lie, as logOf
// measures it, interpolated in its bucket.
func (s *sketch) quantile(q float64) float64 {
	want := q * s.total
	for i, n := range s.counts {
		if c := float64(n); want < c && c > 0 {
			return (float64(i) + want/c) * math.Ln2 / perOctave
		}
		want -= float64(n)
	}
	return float64(buckets) * math.Ln2 / perOctave
}
