package volume

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"bootswain/luks"
	"bootswain/secret"
)

// work is what is kept between looking and doing, and from one round of looking
// to the next: where, whom to tell, what was proven, and keys in use.
type work struct {
	host *Host
	tell func(Progress)
	name string

	mu     sync.Mutex
	proofs map[string]struct{} // disks every byte of which was zero
	keys   []heldKey
	random *secret.Key // of what is made anew with each boot; nil before it is needed

	recovery *luks.Recovery // of the header that was made last; nil
}

type heldKey struct {
	ciphertext []byte
	key        *secret.Key
}

func newWork(h *Host, volume string, tell func(Progress)) *work {
	if tell == nil {
		tell = func(Progress) {}
	}
	return &work{host: h, tell: tell, name: volume, proofs: map[string]struct{}{}}
}

// key gets the key from a source, once.
func (w *work) key(ctx context.Context, ciphertext []byte) (*secret.Key, error) {
	for _, k := range w.keys {
		if bytes.Equal(k.ciphertext, ciphertext) {
			return k.key, nil
		}
	}
	k, err := w.host.Keys.Unseal(ctx, ciphertext)
	if err != nil {
		return nil, err
	}
	w.keys = append(w.keys, heldKey{ciphertext, k})
	return k, nil
}

// ephemeral returns the random key of a volume that is being made. It is zeroed
// when the work ends; from then on only the kernel has it.
func (w *work) ephemeral() *secret.Key {
	if w.random == nil {
		w.random = secret.Random()
	}
	return w.random
}

// end zeroes the keys.
func (w *work) end() {
	w.random.Destroy()
	w.random = nil
	for _, k := range w.keys {
		k.key.Destroy()
	}
	w.keys = nil
}

// counter tells how many bytes of how many are read, over several devices.
type counter struct {
	w           *work
	step        string
	began       time.Time
	done, total atomic.Int64
}

func (w *work) bytes(step string) *counter { return &counter{w: w, step: step} }

// of adds a device and returns what FirstData calls. It tells of every percent.
func (c *counter) of(size int64) func(done, total int64) {
	if c.total.Add(size) == size {
		c.began = time.Now()
		c.w.tell(Progress{Volume: c.w.name, Step: c.step, Total: size})
	}
	var last int64
	return func(done, _ int64) {
		more, total := done-last, c.total.Load()
		last = done
		sum := c.done.Add(more)
		if 100*sum/total > 100*(sum-more)/total { // a large disk has very many pieces
			c.w.tell(Progress{Volume: c.w.name, Step: c.step, Done: sum, Total: total, Took: time.Since(c.began)})
		}
	}
}

// end tells that all is read, if anything was.
func (c *counter) end() {
	if total := c.total.Load(); total > 0 {
		c.w.tell(Progress{Volume: c.w.name, Step: c.step, Done: c.done.Load(), Total: total, Ended: true, Took: time.Since(c.began)})
	}
}
