package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	// pause is how long an address waits after a wrong password.
	pause = time.Second
	// queueLimit is how long a password waits for its check.
	queueLimit = 2 * time.Second
)

// gate asks for passwords. What bcrypt has once found right is known from then on
// by a digest, so that a poll costs nothing more. Wrong ones are checked one at a
// time, and from one address one a second: who guesses takes neither the processor
// nor, from elsewhere, a good poll's turn.
type gate struct {
	users  map[string][]byte
	absent []byte // the hash that the password of somebody unknown is compared with, for the time that it takes
	inside http.Handler
	now    func() time.Time
	turn   chan struct{} // capacity 1: a check is under way
	secret [sha256.Size]byte

	mu      sync.Mutex
	known   map[string]digest          // by user: what was right
	running map[digest]*trial          // being checked
	from    map[netip.Prefix]time.Time // when an address may be wrong again
}

type digest [sha256.Size]byte

// trial is a check under way, for all who brought the same. code is its outcome
// once done is closed.
type trial struct {
	done chan struct{}
	code int
}

func newGate(users map[string][]byte, inside http.Handler) *gate {
	g := &gate{
		users: users, inside: inside, now: time.Now, turn: make(chan struct{}, 1),
		known: map[string]digest{}, running: map[digest]*trial{}, from: map[netip.Prefix]time.Time{},
	}
	for _, hash := range users {
		if g.absent == nil || cost(hash) > cost(g.absent) {
			g.absent = hash
		}
	}
	_, _ = rand.Read(g.secret[:]) // it never fails
	return g
}

func cost(hash []byte) int {
	n, _ := bcrypt.Cost(hash) // readUsers has seen to it
	return n
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, given := r.BasicAuth()
	code := http.StatusUnauthorized
	if given {
		code = g.check(r.RemoteAddr, user, password)
	}
	switch code {
	case http.StatusOK:
		g.inside.ServeHTTP(w, r)
		return
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="bootswain", charset="UTF-8"`)
	default:
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, http.StatusText(code), code)
}

// check returns 200 for the right password, 401 for a wrong one, 429 for an
// address that must wait and 503 if too many others are before it.
func (g *gate) check(remote, user, password string) int {
	d := g.digest(user, password)
	g.mu.Lock()
	if g.isKnown(user, d) {
		g.mu.Unlock()
		return http.StatusOK
	}
	if t, running := g.running[d]; running {
		g.mu.Unlock()
		<-t.done
		return t.code
	}
	address := addressOf(remote)
	if !g.mayTry(address) {
		g.mu.Unlock()
		return http.StatusTooManyRequests
	}
	t := &trial{done: make(chan struct{})}
	g.running[d] = t
	g.mu.Unlock()

	t.code = g.compare(user, password)

	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.running, d)
	delete(g.from, address)
	switch t.code {
	case http.StatusOK:
		g.known[user] = d
	case http.StatusUnauthorized:
		g.from[address] = g.now().Add(pause)
	}
	close(t.done)
	return t.code
}

func (g *gate) isKnown(user string, d digest) bool {
	known, ok := g.known[user]
	return ok && hmac.Equal(known[:], d[:])
}

// mayTry says whether an address may have a password checked, and keeps it from
// another while that goes on.
func (g *gate) mayTry(address netip.Prefix) bool {
	now := g.now()
	if now.Before(g.from[address]) {
		return false
	}
	for a, until := range g.from { // no more than there were checks in a pause
		if !now.Before(until) {
			delete(g.from, a)
		}
	}
	g.from[address] = now.Add(time.Hour) // until it is done
	return true
}

// compare has bcrypt say whether the password is right, when its turn comes.
func (g *gate) compare(user, password string) int {
	late := time.NewTimer(queueLimit)
	defer late.Stop()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-late.C:
		return http.StatusServiceUnavailable
	}
	hash, known := g.users[user]
	if !known {
		hash = g.absent
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !known {
		return http.StatusUnauthorized
	}
	return http.StatusOK
}

// digest stands for a user and a password without telling them.
func (g *gate) digest(user, password string) (d digest) {
	h := hmac.New(sha256.New, g.secret[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(user))))
	h.Write([]byte(user))
	h.Write([]byte(password))
	h.Sum(d[:0])
	return d
}

// addressOf is who a client is: its address, or of IPv6 the network that it can
// choose addresses from.
func addressOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // an address has so many
	return p
}
