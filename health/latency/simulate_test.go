package latency

import (
	"math"
	"math/rand/v2"
	"time"
)

// Seeds for finding the constants of this package, and seeds for judging them.
// The shapes of load from held on, too, are for judging only.
const (
	tuningSeeds  = 1_000_000
	heldOutSeeds = 3_000_000
)

// demand is what programs ask of a disk in a second, of reads and of writes:
// requests, and bytes of each.
type demand struct{ ops, size [2]float64 }

// shape is a load over time; t is in seconds since Monday, midnight.
type shape struct {
	name string
	ask  func(d *simulated, t float64) demand
}

const (
	day  = 86400.0
	week = 7 * day
	kib  = 1024.0
)

// hour is the time of the day in hours.
func hour(t float64) float64 { return math.Mod(t, day) / 3600 }

// daily is low at night and high in the afternoon, and lower at weekends.
func daily(t float64) float64 {
	x := 0.25 + 0.75*math.Pow(math.Max(math.Sin((hour(t)-7)/24*2*math.Pi), -0.3)/2+0.5, 2)
	if math.Mod(t, week) > 5*day {
		x *= 0.5
	}
	return x
}

var shapes = []shape{
	{"idle", func(*simulated, float64) demand {
		return demand{[2]float64{0.05, 0.6}, [2]float64{16 * kib, 8 * kib}}
	}},
	{"diurnal", func(d *simulated, t float64) demand {
		x := d.scale * daily(t)
		return demand{[2]float64{300 * x, 250 * x}, [2]float64{16 * kib, 12 * kib}}
	}},
	{"bursts", func(d *simulated, t float64) demand {
		x := d.scale * 0.05
		if d.every(t, 600, 60) {
			x *= 20
		}
		return demand{[2]float64{500 * x, 400 * x}, [2]float64{24 * kib, 16 * kib}}
	}},
	{"night batch", func(d *simulated, t float64) demand {
		x := d.scale * daily(t)
		if h := hour(t); h > 2 && h < 4 {
			return demand{[2]float64{200, 900 * d.scale}, [2]float64{32 * kib, 64 * kib}}
		}
		return demand{[2]float64{100 * x, 150 * x}, [2]float64{16 * kib, 8 * kib}}
	}},
	{"backup", func(d *simulated, t float64) demand {
		x := d.scale * daily(t)
		a := demand{[2]float64{150 * x, 200 * x}, [2]float64{16 * kib, 8 * kib}}
		if h := hour(t); h > 3 && h < 3+d.scale {
			a.ops[0] += 350
			a.size[0] = 240 * kib
		}
		return a
	}},
	{"database", func(d *simulated, t float64) demand {
		// Each of some threads writes its log, waits for the disk, and thinks.
		threads := 1 + 8*d.scale*daily(t)
		x := threads / (0.004 + d.latency[1])
		return demand{[2]float64{0.4 * x, x}, [2]float64{16 * kib, 6 * kib}}
	}},
	{"growth", func(d *simulated, t float64) demand {
		x := d.scale * daily(t) * (1 + 0.004*t/day)
		return demand{[2]float64{120 * x, 100 * x}, [2]float64{16 * kib, 12 * kib}}
	}},
	{"noisy neighbours", func(d *simulated, t float64) demand {
		d.neighbours = 8
		x := d.scale * daily(t)
		return demand{[2]float64{200 * x, 200 * x}, [2]float64{16 * kib, 12 * kib}}
	}},
	{"burst credit", func(d *simulated, t float64) demand {
		// gp2: credits of 5.4 million requests; at rest the volume earns 300 a second.
		x := d.scale * daily(t)
		a := demand{[2]float64{400 * x, 400 * x}, [2]float64{16 * kib, 16 * kib}}
		d.credit = min(d.credit+10*(300-min(a.ops[0]+a.ops[1], d.iops)), 5.4e6)
		if d.iops = 3000; d.credit <= 0 {
			d.iops, d.credit = 300, 0
		}
		return a
	}},
	{"gp3 throttle", func(d *simulated, t float64) demand {
		x := d.scale * daily(t)
		if d.every(t, 3600, 300) {
			x *= 8
		}
		return demand{[2]float64{600 * x, 500 * x}, [2]float64{16 * kib, 16 * kib}}
	}},
	held: {"scans", func(d *simulated, t float64) demand {
		if d.every(t, 5400, 1500) {
			return demand{[2]float64{180 * d.scale, 5}, [2]float64{512 * kib, 8 * kib}}
		}
		return demand{[2]float64{3, 5}, [2]float64{16 * kib, 8 * kib}}
	}},
	{"each minute", func(d *simulated, t float64) demand {
		x := 2.0
		if math.Mod(t, 60) < 10 {
			x = 250 * d.scale
		}
		return demand{[2]float64{0.3 * x, x}, [2]float64{48 * kib, 24 * kib}}
	}},
	{"copies", func(d *simulated, t float64) demand {
		// Now and then somebody copies a lot, beside a small database.
		x := 20 * d.scale * daily(t)
		a := demand{[2]float64{x, x}, [2]float64{16 * kib, 8 * kib}}
		if d.every(t, 9*3600, 900) {
			a.ops, a.size = [2]float64{180, 180}, [2]float64{256 * kib, 256 * kib}
		}
		return a
	}},
}

const held = 10

// fault makes requests take longer by a factor, and sometimes a whole second or
// more, at a time in seconds since it began.
type fault func(d *simulated, t float64) (factor, stall float64)

// simulated is one EBS volume and the programs that use it.
type simulated struct {
	rng   *rand.Rand
	shape shape
	fault fault
	start float64 // of the fault, in seconds

	scale       float64    // of the load
	base        [2]float64 // seconds of a small request
	perByte     float64    // seconds
	iops, bytes float64    // limits, a second
	spread, cv  float64
	neighbours  float64 // how often they are heard, 1 is three times a week
	credit      float64
	noPage      bool

	t        float64
	wave     float64    // slow noise, ln
	busy     float64    // of the load, ln
	latency  [2]float64 // of the last interval
	full     float64    // when it was last near a limit
	outside  float64    // what neighbours and the rest make of it
	slow     float64    // by neighbours
	slowTill float64
	blip     float64
	blipTill float64
	change   float64 // when the programs change next
	resize   float64
	gust     float64 // until when a burst lasts
}

func newSimulated(seed uint64, s shape) *simulated {
	r := rand.New(rand.NewPCG(seed, 7))
	between := func(a, b float64) float64 { return a * math.Pow(b/a, r.Float64()) }
	d := &simulated{
		rng: r, shape: s, scale: between(0.3, 2.5),
		base:    [2]float64{between(0.0003, 0.0015), between(0.0005, 0.003)},
		perByte: between(0.5e-9, 4e-9),
		iops:    3000, bytes: 125 << 20,
		spread: between(0.05, 0.2), cv: between(0.4, 1.5), neighbours: between(0.3, 3),
		resize: 1, slow: 1, blip: 1, credit: 5.4e6,
		noPage: r.IntN(8) == 0,
	}
	if r.IntN(3) == 0 {
		d.iops, d.bytes = between(3000, 16000), between(125<<20, 1000<<20)
	}
	d.t = r.Float64() * week
	d.change = d.t + r.ExpFloat64()*30*day
	return d
}

// every is true for as long as a burst, of about length seconds, lasts; they
// come at about the given distance.
func (d *simulated) every(t, distance, length float64) bool {
	if t < d.gust {
		return true
	}
	if d.rng.Float64() < 10/distance {
		d.gust = t + length*(0.3+d.rng.ExpFloat64())
		return true
	}
	return false
}

// weather is what goes on outside: neighbours for minutes, a change of replicas
// for less than one.
func (d *simulated) weather() float64 {
	r := d.rng
	d.wave = 0.92*d.wave + d.spread*0.39*r.NormFloat64()
	if d.t > d.slowTill {
		if d.slow = 1; r.Float64() < 10*3*d.neighbours/week {
			d.slow, d.slowTill = 1.15+0.75*r.Float64(), d.t+600*r.ExpFloat64()
		}
	}
	if d.t > d.blipTill {
		if d.blip = 1; r.Float64() < 10/(3*day) {
			d.blip, d.blipTill = 2+8*r.Float64(), d.t+60*r.Float64()
		}
	}
	d.outside = d.slow * d.blip * math.Exp(d.wave+0.1*math.Sin(d.t/(40*day)))
	return d.outside
}

// next returns the next interval.
func (d *simulated) next() Sample {
	r := d.rng
	d.t += Interval.Seconds()
	if d.t > d.change {
		d.change = d.t + r.ExpFloat64()*30*day
		d.resize *= math.Exp(0.4 * r.NormFloat64())
		d.scale *= math.Exp(0.3 * r.NormFloat64())
	}
	d.busy = 0.95*d.busy + 0.08*r.NormFloat64()
	a := d.shape.ask(d, d.t)
	gusts := math.Exp(d.busy)
	for i := range a.ops {
		a.ops[i] *= gusts
		a.size[i] = min(max(a.size[i]*d.resize, 4096), 512*kib)
	}
	use := max((a.ops[0]+a.ops[1])/d.iops, (a.ops[0]*a.size[0]+a.ops[1]*a.size[1])/d.bytes)
	factor, stall := d.weather(), 0.0
	if d.fault != nil && d.t >= d.start {
		f, s := d.fault(d, d.t-d.start)
		factor, stall = factor*f, s
	}
	s := Sample{Took: Interval, Limit: None}
	served, queue := 1.0, 1+0.25*min(use, 0.97)/(1.02-min(use, 0.97))
	exceeded := 0.0
	if use > 0.7 {
		d.full = d.t
	}
	if use > 1 {
		served, exceeded = 1/use, 1
	} else if use > 0.7 {
		exceeded = (use - 0.7) / 0.3 * 0.2 * r.Float64()
	}
	for i, side := range []*Side{&s.Read, &s.Write} {
		side.Ops = d.poisson(a.ops[i] * served * Interval.Seconds())
		if side.Ops == 0 {
			continue
		}
		n := float64(side.Ops)
		mean := (d.base[i] + a.size[i]*d.perByte) * queue * factor
		if use > 1 {
			mean += 48 * (0.5 + r.Float64()) / d.iops
		}
		mean *= max(1+d.cv*r.NormFloat64()/math.Sqrt(n), 0.3)
		if r.Float64() < n*3e-6 { // one that EBS repeated
			mean += (0.05 + 0.4*r.Float64()) / n
		}
		if stall > 0 { // those in its time wait for half of it
			mean += stall / Interval.Seconds() * stall / 2
		}
		d.latency[i] = mean
		side.Bytes = int64(n * a.size[i] * (1 + 0.05*r.NormFloat64()))
		side.Wait = time.Duration(mean * n * float64(time.Second))
	}
	if d.noPage {
		s.Limit = NotKnown
	} else if exceeded > limitShare {
		s.Limit = VolumeIOPS
	}
	return s
}

func (d *simulated) poisson(mean float64) int64 {
	if mean > 30 {
		return int64(max(math.Round(mean+math.Sqrt(mean)*d.rng.NormFloat64()), 0))
	}
	n, p, until := int64(-1), 1.0, math.Exp(-mean)
	for {
		if n++; p > 0 {
			p *= d.rng.Float64()
		}
		if p <= until {
			return n
		}
	}
}
