package volume

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"bootswain/internal/fakehost"
)

var (
	sequences = flag.Int("sequences", 40, "how many random sequences to walk")
	seed      = flag.Uint64("seed", 1, "of the first random sequence")
)

// deed is something that happens to a machine; a and b say what exactly, in the
// way of the kind.
type deed struct {
	kind string
	a, b int
}

func (d deed) String() string { return fmt.Sprintf("%s(%d,%d)", d.kind, d.a, d.b) }

// happenings are the deeds, as often as they shall come.
var happenings = []string{
	"boot", "boot", "boot", "cut", "cut", "cut", "cut", "restart", "down", "pull", "pull", "attach", "attach",
	"clone", "corrupt", "corrupt", "change", "change", "change", "discover",
}

// sequence is the random sequence of a seed.
func sequence(seed uint64) (home int, deeds []deed) {
	r := rand.New(rand.NewPCG(7, seed))
	home = r.IntN(len(homes))
	for range 2 + r.IntN(5) {
		deeds = append(deeds, deed{happenings[r.IntN(len(happenings))], r.IntN(1 << 16), r.IntN(1 << 16)})
	}
	return home, deeds
}

// TestWalk lets random sequences of deeds happen to machines, and checks after
// each of them both promises: no byte that somebody may want is overwritten, and
// the machine converges by itself or refuses with words that tell what to do. On
// real tools a sequence takes seconds.
func TestWalk(t *testing.T) {
	var total tally
	var failed atomic.Bool
	const together = 100
	for from := 0; from < *sequences; from += together {
		t.Run(fmt.Sprint(*seed+uint64(from)), func(t *testing.T) {
			if !*real {
				t.Parallel()
			}
			var some tally
			for i := from; i < min(from+together, *sequences) && !failed.Load(); i++ {
				home, deeds := sequence(*seed + uint64(i))
				some.sequences++
				if err := walk(t, home, deeds, &some); err != nil {
					failed.Store(true)
					t.Errorf("seed %d: %v: %v", *seed+uint64(i), deeds, err)
					if !testing.Short() {
						t.Errorf("at the least: %v", shrink(t, home, deeds))
					}
				}
			}
			total.add(&some)
		})
	}
	t.Cleanup(func() { t.Log(total.String()) })
}

// walk lets deeds happen to a new machine, and then boots it undisturbed.
func walk(t *testing.T, home int, deeds []deed, count *tally) error {
	t.Helper()
	w := &walker{t: t, home: homes[home], count: count, disks: map[string]*walked{}}
	if *real {
		w.b = newReal(t, 4)
	} else {
		m := fakehost.New(t)
		m.Create(diskSize, volumeIDs(4)...)
		w.b, w.m = &modelBench{m}, m
	}
	w.all = w.b.ids()
	for _, id := range w.all {
		w.disks[id] = &walked{attached: true}
	}
	w.blank = w.b.sum(t, w.all[0])
	w.calm()
	for _, d := range deeds {
		count.deeds++
		if err := w.do(d); err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
	}
	if err := w.settle(); err != nil {
		return fmt.Errorf("at last: %w", err)
	}
	return nil
}

// shrink leaves out of a failing sequence what it fails without.
func shrink(t *testing.T, home int, deeds []deed) []deed {
	for i := 0; i < len(deeds); {
		fewer := slices.Delete(slices.Clone(deeds), i, i+1)
		if walk(t, home, fewer, &tally{}) != nil {
			deeds = fewer
		} else {
			i++
		}
	}
	return deeds
}

// tally counts what came of sequences.
type tally struct {
	mu                                        sync.Mutex
	sequences, deeds, cuts, converged, losses int
	words                                     map[string]int // how often a boot ended with which word
}

func (c *tally) word(word string) {
	if c.words == nil {
		c.words = map[string]int{}
	}
	c.words[word]++
}

func (c *tally) add(o *tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sequences += o.sequences
	c.deeds += o.deeds
	c.cuts += o.cuts
	c.converged += o.converged
	c.losses += o.losses
	for word, n := range o.words {
		for range n {
			c.word(word)
		}
	}
}

func (c *tally) String() string {
	var words []string
	for _, word := range slices.Sorted(maps.Keys(c.words)) {
		words = append(words, fmt.Sprintf("%d %s", c.words[word], word))
	}
	return fmt.Sprintf("walk: %d sequences of %d deeds, %d cuts: %d converged, %s; %d losses", c.sequences, c.deeds, c.cuts, c.converged, strings.Join(words, ", "), c.losses)
}

// off is a machine whose power fails: the n-th program from now is the last.
func (w *walker) off(n int, do func(h *Host) error) (cut bool) {
	if w.m == nil {
		w.b.killed(w.t, 1+n%20, do)
		return true
	}
	w.m.CutAfter(1 + n%60)
	_ = do(w.b.host())
	return w.m.WasCut()
}
