package web

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

var loopback = []net.IP{net.IPv4(127, 0, 0, 1)}

func hashOf(t testing.TB, password string) []byte {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// asker asks a gate from an address.
func asker(h http.Handler) func(from, user, password string) int {
	return func(from, user, password string) int {
		r := httptest.NewRequest(http.MethodGet, "/health", nil)
		r.RemoteAddr = from
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
}

var welcome = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })

func TestGate(t *testing.T) {
	g := newGate(map[string][]byte{"prometheus": hashOf(t, "right"), "other": hashOf(t, "wrong")}, welcome)
	now := time.Now()
	g.now = func() time.Time { return now }
	ask := asker(g)
	for i, tt := range []struct {
		from, user, password string
		later                time.Duration
		code                 int
	}{
		{"192.0.2.1:1", "", "", 0, 401},
		{"192.0.2.1:1", "prometheus", "wrong", 0, 401},
		{"192.0.2.1:2", "prometheus", "right", 0, 429}, // it guesses, for all that is known
		{"192.0.2.2:1", "prometheus", "right", 0, 200},
		{"192.0.2.1:2", "prometheus", "right", 0, 200}, // known by now
		{"192.0.2.1:2", "other", "right", pause, 401},
		{"192.0.2.1:2", "nobody", "right", 0, 429},
		{"192.0.2.1:2", "nobody", "right", pause, 401},
		{"192.0.2.1:2", "nobody", "", pause, 401},
		{"[2001:db8::1]:1", "prometheus", "wrong", 0, 401},
		{"[2001:db8::2]:1", "prometheus", "wrong2", 0, 429}, // the same network
		{"[2001:db8:0:1::2]:1", "prometheus", "wrong2", 0, 401},
		{"[::ffff:192.0.2.3]:1", "prometheus", "wrong", 0, 401},
		{"192.0.2.3:1", "prometheus", "wrong", 0, 429},
		{"@", "prometheus", "wrong", 0, 401},
	} {
		now = now.Add(tt.later)
		if code := ask(tt.from, tt.user, tt.password); code != tt.code {
			t.Errorf("%d: %+v: %d", i, tt, code)
		}
	}
	now = now.Add(pause)
	ask("192.0.2.9:1", "prometheus", "wrong")
	if len(g.from) != 1 || len(g.running) != 0 || len(g.known) != 1 {
		t.Errorf("remembers %v, %v, %v", g.from, g.running, g.known)
	}
}

// TestGateFull: while one password is checked the others wait, and those with the
// same get what it got.
func TestGateFull(t *testing.T) {
	g := newGate(map[string][]byte{"prometheus": hashOf(t, "right")}, welcome)
	ask := asker(g)
	g.turn <- struct{}{}
	var wait sync.WaitGroup
	codes := make([]int, 100)
	for i := range codes {
		wait.Go(func() { codes[i] = ask(fmt.Sprintf("192.0.2.%d:1", i), "prometheus", "right") })
	}
	wait.Go(func() { // from the one address, others' passwords do not pile up
		for ask("198.51.100.1:1", "prometheus", "wrong") != http.StatusTooManyRequests {
		}
	})
	<-g.turn
	wait.Wait()
	for i, code := range codes {
		if code != http.StatusOK {
			t.Errorf("%d of 100 with the right password: %d", i, code)
		}
	}
}

// TestGateOverrun: who never gets a turn is told to come again.
func TestGateOverrun(t *testing.T) {
	g := newGate(map[string][]byte{"prometheus": hashOf(t, "right")}, welcome)
	g.turn <- struct{}{}
	if code := asker(g)("192.0.2.1:1", "prometheus", "right"); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d", code)
	}
	<-g.turn
	if code := asker(g)("192.0.2.1:1", "prometheus", "right"); code != http.StatusOK {
		t.Errorf("answered %d once there is a turn", code)
	}
}

// BenchmarkGate is what a poll with the right password costs.
func BenchmarkGate(b *testing.B) {
	ask := asker(newGate(map[string][]byte{"prometheus": hashOf(b, "right")}, welcome))
	for b.Loop() {
		if ask("192.0.2.1:1", "prometheus", "right") != http.StatusOK {
			b.Fatal("refused")
		}
	}
}
