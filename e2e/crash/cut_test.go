package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bootswain/lab/nbd"
)

// TestCuts kills guests at a random write of a volume's life, a volume each, with
// what was not flushed lost or kept as the seed says. The next guest brings
// the volume up without help, finds there what was acknowledged, and begins the
// life of the next.
func TestCuts(t *testing.T) {
	site := newSite(t)
	seed := setting(t, "BOOTSWAIN_SEED", uint64(time.Now().UnixNano()))
	cuts := int(setting(t, "BOOTSWAIN_WHOLE_CUTS", 8))
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	var before *set
	converged := 0
	for i := range cuts + 1 {
		c := &cut{site: site, before: before, reached: make(chan struct{})}
		if i < cuts {
			c.now = site.set("data", half, fmt.Sprintf("vol-0a%05d1", i), fmt.Sprintf("vol-0a%05d2", i))
			// A life has some six hundred, most of them mkfs's.
			c.after = 1 + int64(random.IntN([]int{40, 400}[i%2]))
		}
		loss, err := c.run(random)
		if err != nil {
			t.Fatal(err)
		}
		if c.now != nil {
			t.Logf("cut %d, at write %d, in %q: %+v", i+1, c.after, c.last, loss)
		}
		if before != nil {
			converged++
		}
		before = c.now
	}
	t.Logf("crash: %d whole cuts: %d converged, 0 refused, 0 losses", cuts, converged)
}

// cut is one guest.
type cut struct {
	site   *site
	before *set  // to be brought up; nil for none
	now    *set  // whose life is cut short; nil for none
	after  int64 // that many writes

	written atomic.Int64
	reached chan struct{}

	mu    sync.Mutex
	err   error
	last  string // mark
	begun bool
}

// run returns what the cut has lost.
func (c *cut) run(random *rand.Rand) (nbd.Loss, error) {
	ctx, kill := context.WithCancel(c.site.t.Context())
	defer kill()
	var sets []*set
	var disks []*nbd.Disk
	for _, s := range []*set{c.before, c.now} {
		if s != nil {
			sets, disks = append(sets, s), append(disks, s.disks...)
		}
	}
	var err error
	ended := make(chan struct{})
	if c.now != nil {
		for _, d := range c.now.disks {
			d.Tell(func([]byte) {
				if c.written.Add(1) == c.after {
					close(c.reached)
					<-ended // it is never answered
				}
			})
			defer d.Tell(nil)
		}
	}
	go func() {
		defer close(ended)
		exit := 0
		if exit, err = c.site.guest(ctx, 5*time.Minute, c.answer, sets...); err == nil && exit != 0 {
			err = errors.New("the guest's half failed")
		}
	}()
	if c.now == nil {
		<-ended
		return nbd.Loss{}, errors.Join(c.err, err)
	}
	select {
	case <-c.reached:
	case <-ended:
		return nbd.Loss{}, fmt.Errorf("it ended after %d writes: %w", c.written.Load(), errors.Join(c.err, err))
	}
	nbd.Freeze(disks...)
	defer nbd.Thaw(disks...)
	kill()
	<-ended
	var total nbd.Loss
	for _, d := range c.now.disks {
		loss, err := d.PowerLoss(random)
		if err != nil {
			return total, err
		}
		total.Unflushed += loss.Unflushed
		total.Dropped += loss.Dropped
		total.Torn += loss.Torn
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return total, c.err
}

// answer is the host's side of the conversation.
func (c *cut) answer(said report) order {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case said.Mark != "":
		c.last = said.Mark
		return order{}
	case said.File != "":
		c.now.acknowledge(0, said.File, said.Sum)
		return order{}
	case said.Word != "":
		if lost, _ := c.before.missing(0, said.Held); said.Word != "READY" || len(lost) > 0 {
			c.err = fmt.Errorf("after the cut: %s, lost %v", said.Text, lost)
		}
	case c.before != nil && !c.begun:
		c.begun = true
		return c.before.order("recover")
	}
	if c.now == nil {
		return order{Do: "end"}
	}
	return c.now.order("live")
}
