package latency

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// alarm is why a healthy disk was called sick.
type alarm string

const (
	unfounded  alarm = "for no reason"
	neighbours alarm = "while neighbours made requests take twice as long and more"
	untold     alarm = "at a limit, on disks without EBS's statistics, where the sentence says that a limit is not known"
)

// live lets a disk work for so long. It returns why it was called sick, each
// time, and how often a limit of EBS was named.
func live(t *Tracker, d *simulated, from time.Time, long time.Duration) (alarms []alarm, atLimit int) {
	was, limited := false, false
	for now := from; now.Sub(from) < long; now = now.Add(Interval) {
		t.Observe(now, d.next())
		is := t.sides[0].degraded || t.sides[1].degraded
		if is && !was {
			why := unfounded
			if d.noPage && d.t-d.full < 300 {
				why = untold
			} else if d.outside > 2 {
				why = neighbours
			}
			alarms = append(alarms, why)
		}
		full := t.sides[0].limited.degraded || t.sides[1].limited.degraded
		if full && !limited {
			atLimit++
		}
		was, limited = is, full
	}
	return alarms, atLimit
}

// TestFalseAlarms lets healthy disks with held-out seeds and shapes work for
// years: a week of each in a usual run, a hundred years with
// BOOTSWAIN_YEARS=100.
func TestFalseAlarms(t *testing.T) {
	years, seeds, kinds := 0.25, uint64(heldOutSeeds), shapes
	if v := os.Getenv("BOOTSWAIN_YEARS"); v != "" {
		years, _ = strconv.ParseFloat(v, 64)
	}
	if os.Getenv("BOOTSWAIN_TUNING") != "" {
		seeds, kinds = tuningSeeds, shapes[:held]
	}
	machines := max(int(years*4), len(kinds))
	long := time.Duration(years * 365 * 24 * float64(time.Hour) / float64(machines))
	var (
		mu      sync.Mutex
		all     sync.WaitGroup
		turn    = make(chan bool, runtime.GOMAXPROCS(0))
		reasons = map[alarm]int{}
		byShape = map[string]int{}
		limits  int
	)
	for i := range machines {
		turn <- true
		all.Go(func() {
			d := newSimulated(seeds+uint64(i), kinds[i%len(kinds)])
			alarms, atLimit := live(NewTracker(), d, epoch, long)
			mu.Lock()
			for _, why := range alarms {
				reasons[why]++
				if why != untold {
					byShape[d.shape.name]++
				}
			}
			limits += atLimit
			mu.Unlock()
			<-turn
		})
	}
	all.Wait()
	wrong := reasons[unfounded] + reasons[neighbours]
	t.Logf("%d disks, %.1f years in all: %d false alarms, %.2f a year; a limit of EBS named %d times", machines, years, wrong, float64(wrong)/years, limits)
	t.Logf("why: %v; false alarms by shape: %v", reasons, byShape)
	if float64(wrong)/years > 1+2/years {
		t.Errorf("more than one false alarm a year")
	}
}

var faults = []struct {
	name   string
	within time.Duration // judged by
	make   fault
}{
	{"step to 3×", 3 * time.Minute, func(*simulated, float64) (float64, float64) { return 3, 0 }},
	{"step to 10×", 3 * time.Minute, func(*simulated, float64) (float64, float64) { return 10, 0 }},
	{"ramp to 4× in 30 min", 30 * time.Minute, func(_ *simulated, t float64) (float64, float64) { return 1 + 3*min(t/1800, 1), 0 }},
	{"ramp to 4× in a day", 24 * time.Hour, func(_ *simulated, t float64) (float64, float64) { return 1 + 3*min(t/day, 1), 0 }},
	{"stalls of 1 to 3 s, one interval in four", 20 * time.Minute, func(d *simulated, _ float64) (float64, float64) {
		if d.rng.IntN(4) == 0 {
			return 1, 1 + 2*d.rng.Float64()
		}
		return 1, 0
	}},
}

// TestFaults makes disks slow that had worked for days, at any hour. It counts
// those in use: a disk that does nothing is not slow.
func TestFaults(t *testing.T) {
	each, seeds, kinds := 1, uint64(heldOutSeeds+500_000), shapes
	if v := os.Getenv("BOOTSWAIN_FAULTS"); v != "" {
		each, _ = strconv.Atoi(v)
	}
	if os.Getenv("BOOTSWAIN_TUNING") != "" {
		seeds, kinds = tuningSeeds+500_000, shapes[:held]
	}
	for n, f := range faults {
		var took []time.Duration
		inUse, idle, found := 0, 0, 0
		missed := map[string]int{}
		for i := range each * len(kinds) {
			seed := seeds + uint64(n*10_000+i)
			d, tr := newSimulated(seed, kinds[i%len(kinds)]), NewTracker()
			healthy := 3*24*time.Hour + time.Duration(d.rng.Float64()*float64(4*24*time.Hour)).Truncate(Interval)
			live(tr, d, epoch, healthy)
			if tr.sides[0].degraded || tr.sides[1].degraded {
				continue // counted as a false alarm elsewhere
			}
			d.fault, d.start = f.make, d.t
			begun := epoch.Add(healthy)
			active, slots, at := 0, 0, time.Duration(0)
			for now := begun; now.Sub(begun) < 2*f.within; now = now.Add(Interval) {
				s := d.next()
				if now.Sub(begun) < 3*time.Minute {
					if slots++; s.Read.Ops >= 10 || s.Write.Ops >= 10 {
						active++
					}
				}
				if s.Limit.reached() {
					active--
				}
				tr.Observe(now, s)
				if at == 0 && (tr.sides[0].degraded || tr.sides[1].degraded) {
					at = now.Sub(begun) + Interval
				}
			}
			if active*4 < slots*3 {
				idle++
				continue
			}
			inUse++
			if at > 0 {
				took = append(took, at)
			}
			if at > 0 && at <= f.within {
				found++
			} else {
				missed[d.shape.name]++
			}
		}
		slices.Sort(took)
		line := fmt.Sprintf("%s: found within %s in %d of %d, within twice that in %d", f.name, f.within, found, inUse, len(took))
		if len(took) > 0 {
			line += fmt.Sprintf(", half by %s, nine of ten by %s", took[len(took)/2], took[len(took)*9/10])
		}
		t.Logf("%s; %d more without enough requests, or at a limit; missed by shape: %v", line, idle, missed)
		if found*10 < inUse*8 {
			t.Errorf("%s: found %d of %d", f.name, found, inUse)
		}
	}
}
