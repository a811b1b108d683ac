package health

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// door is a listener with a bounded number of connections. It never makes one
// wait: when all places are taken, the connection goes that has been without an
// answer under way for longest. Who sends a request slowly, or none, takes no
// place from a monitor that asks at once.
type door struct {
	net.Listener
	places int

	mu     sync.Mutex
	clock  int // counts what happens; the guests' order
	guests map[*guest]bool
}

// guest is one connection.
type guest struct {
	net.Conn
	door *door

	// Of the door's lock.
	asked bool // an answer is under way
	last  int  // when it came, or was answered last
}

func newDoor(l net.Listener, places int) *door {
	return &door{Listener: l, places: places, guests: map[*guest]bool{}}
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guest{Conn: conn, door: d}
	d.mu.Lock()
	var out *guest
	if len(d.guests) >= d.places {
		out = d.leastWorthy()
		delete(d.guests, out)
	}
	d.clock++
	g.last = d.clock
	d.guests[g] = true
	d.mu.Unlock()
	if out != nil {
		out.Conn.Close()
	}
	return g, nil
}

// leastWorthy is the guest without an answer under way that came, or was
// answered, before all others; if there is none, the first of all.
func (d *door) leastWorthy() *guest {
	var first, waiting *guest
	for g := range d.guests {
		if first == nil || g.last < first.last {
			first = g
		}
		if !g.asked && (waiting == nil || g.last < waiting.last) {
			waiting = g
		}
	}
	if waiting != nil {
		return waiting
	}
	return first
}

func (g *guest) Close() error {
	g.door.mu.Lock()
	delete(g.door.guests, g)
	g.door.mu.Unlock()
	return g.Conn.Close()
}

// set notes that an answer begins or has ended.
func (g *guest) set(asked bool) {
	g.door.mu.Lock()
	g.door.clock++
	g.asked, g.last = asked, g.door.clock
	g.door.mu.Unlock()
}

type guestKey struct{}

// withGuest is the http.Server's ConnContext, so that answering knows whom it
// answers. What TLS is spoken on holds the guest inside.
func withGuest(ctx context.Context, c net.Conn) context.Context {
	if inner, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = inner.NetConn()
	}
	return context.WithValue(ctx, guestKey{}, c)
}

// answering keeps the door's books around a handler.
func answering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
			g.set(true)
			defer g.set(false)
		}
		h.ServeHTTP(w, r)
	})
}
