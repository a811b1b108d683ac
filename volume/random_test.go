package volume

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
)

var (
	sequences = flag.Int("sequences", 40, "how many random sequences to run")
	seed      = flag.Uint64("seed", 1, "of the first random sequence")
)

// TestRandom does things to a machine in random order: boots that are cut,
// reboots, taking down, pulling and attaching devices, wrong keys, the wrong
// devices. Whatever comes, nothing that was ready is made anew, a row that was
// written is there whenever the volume is, and a boot that nothing disturbs
// brings the volume up.
func TestRandom(t *testing.T) {
	for i := range uint64(*sequences) {
		t.Run(fmt.Sprint(*seed+i), func(t *testing.T) {
			t.Parallel()
			r := &random{t: t, r: rand.New(rand.NewPCG(7, *seed+i)), m: fakehost.New(t)}
			r.n = []int{1, 2, 2, 3, 4}[r.r.IntN(5)]
			r.m.Create(diskSize, volumeIDs(r.n)...)
			for range 4 + r.r.IntN(8) {
				r.act()
				if sound(t, r.m); t.Failed() {
					return
				}
			}
			r.settle()
		})
	}
}

type random struct {
	t   *testing.T
	r   *rand.Rand
	m   *fakehost.Machine
	n   int
	row string // what must be on the volume; "" as long as nothing is
	log []string
}

func (r *random) note(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// act does one thing.
func (r *random) act() {
	want := wanted(r.n)
	switch r.r.IntN(9) {
	case 0, 1, 2:
		at := 1 + r.r.IntN(60)
		r.note("boot, cut at %d", at)
		r.m.CutAfter(at)
		if _, err := Converge(r.t.Context(), hostOf(r.m), want, nil); err == nil {
			r.use()
		}
		r.m.Reboot()
	case 3:
		r.note("reboot")
		r.m.Reboot()
	case 4:
		r.note("down")
		if err := Down(r.t.Context(), hostOf(r.m), "data", nil); err != nil {
			r.t.Fatalf("%v: %v", r.log, err)
		}
	case 5:
		id := volumeIDs(r.n)[r.r.IntN(r.n)]
		r.note("pull %s", id)
		r.m.Detach(id)
		_, err := Converge(r.t.Context(), hostOf(r.m), want, nil)
		if s := situation.Of(err); s == nil || s.Word != situation.Waiting && s.Word != situation.Failed {
			r.t.Fatalf("%v: %v", r.log, err)
		}
		if r.r.IntN(2) == 0 {
			r.note("down")
			_ = Down(r.t.Context(), hostOf(r.m), "data", nil)
		}
		r.m.Attach(id)
	case 6:
		r.note("boot with another key")
		want.Encryption.Sealed = []byte("sealed:two")
		h := hostOf(r.m)
		h.Keys = ringWithout("sealed:one")
		_, err := Converge(r.t.Context(), h, want, nil)
		if err == nil && r.row != "" {
			r.note("up already")
		}
		// A set that is not ready yet is made with this key: then the right
		// key is this one. Opening by the volume's own comes to the same.
		if err != nil && situation.Of(err) == nil {
			r.t.Fatalf("%v: %v", r.log, err)
		}
	case 7:
		r.note("boot with a part")
		want.EBS.IDs = want.EBS.IDs[:r.n-1]
		if r.n > 1 && r.row != "" {
			if _, err := Converge(r.t.Context(), hostOf(r.m), want, nil); err == nil {
				r.t.Fatalf("%v: a part of the set came up\n%s", r.log, r.m)
			}
		}
	case 8:
		r.settle()
	}
}

// settle boots undisturbed.
func (r *random) settle() {
	r.note("settle")
	r.m.CutAfter(0)
	s, err := Converge(r.t.Context(), hostOf(r.m), wanted(r.n), nil)
	if err != nil || !s.mountedAt("/srv/data") {
		r.t.Fatalf("%v: %v\n%s", r.log, err, r.m)
	}
	r.use()
}

// use checks the row of a volume that is up, and writes the next.
func (r *random) use() {
	if r.row != "" {
		if got := r.m.Load("/srv/data"); got != r.row {
			r.t.Fatalf("%v: the row is %q, not %q", r.log, got, r.row)
		}
	}
	r.row = fmt.Sprint("row ", len(r.log))
	r.m.Store("/srv/data", r.row)
}
