// Package fault lets the laboratory's services be slow, silent or rude on
// demand. What else may be wrong with a service is the service's own.
package fault

import (
	"net/http"
	"sync"
	"time"
)

// Common is what may be wrong with any service. The zero Common is a sound one.
type Common struct {
	Delay  time.Duration // every answer comes this much later
	Silent bool          // requests wait until the fault changes
	Refuse bool          // connections are closed without an answer
}

// Line is what requests to a service come along. F is what may be wrong with
// that service. The zero Line is a sound one; its methods may be used at the same
// time.
type Line[F any] struct {
	mu      sync.Mutex
	fault   F
	changed chan struct{} // closed and replaced when fault changes; nil: nobody waits
}

// Set changes what is wrong, also for requests that wait.
func (l *Line[F]) Set(f F) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Get returns what is wrong.
func (l *Line[F]) Get() F {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

func (l *Line[F]) now() (F, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.fault, l.changed
}

// Pass lets the fault have its way with a request, and returns what is wrong when
// the request is through; false if whoever asked has given up by then. common
// tells what of a fault is common.
func (l *Line[F]) Pass(r *http.Request, common func(F) Common) (F, bool) {
	delayed := false
	for {
		f, changed := l.now()
		var late <-chan time.Time
		switch c := common(f); {
		case c.Silent:
		case c.Delay > 0 && !delayed:
			late = time.After(c.Delay)
			delayed = true
		case c.Refuse:
			panic(http.ErrAbortHandler) // net/http hangs up without a word
		default:
			return f, true
		}
		select {
		case <-late:
		case <-changed:
		case <-r.Context().Done():
			return f, false
		}
	}
}
