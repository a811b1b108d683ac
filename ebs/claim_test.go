package ebs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	cloud "bootswain/lab/ec2"
)

// gate lets one request through at a time, when it is told to.
type gate struct {
	arrived chan struct{} // a request waits, or the claimant has ended a try
	pass    chan struct{}
}

func (g gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.arrived <- struct{}{}
	select {
	case <-g.pass:
		return http.DefaultTransport.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// claimant is a machine that wants the set, and tries until it is stopped.
type claimant struct {
	id    string
	gate  gate
	tries int
	crash context.CancelFunc
	ended chan struct{}
}

func (a account) claimant(id string, count int) *claimant {
	m := &claimant{id: id, gate: gate{make(chan struct{}), make(chan struct{})}}
	m.boot(a, count)
	return m
}

// boot starts the agent, which knows nothing of what was before.
func (m *claimant) boot(a account, count int) {
	ctx, cancel := context.WithCancel(a.t.Context())
	m.crash, m.ended = cancel, make(chan struct{})
	c := a.instance(m.id, m.gate)
	go func(ended chan struct{}) {
		defer close(ended)
		for ctx.Err() == nil {
			if err := take(ctx, c, count); err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "being detached") {
				a.t.Errorf("%s: %v", m.id, err)
			}
			m.tries++
		}
	}(m.ended)
	<-m.gate.arrived
}

// step lets the machine's next request through and waits for the one after it.
func (m *claimant) step() {
	m.gate.pass <- struct{}{}
	<-m.gate.arrived
}

// die ends the agent between two requests, or while one is under way.
func (m *claimant) die(answered bool) {
	if answered {
		m.gate.pass <- struct{}{}
		<-m.gate.arrived
	}
	m.crash()
	for {
		select {
		case <-m.gate.arrived: // giving back goes on when the agent is told to end
			select {
			case m.gate.pass <- struct{}{}:
			case <-m.ended:
				return
			}
		case <-m.ended:
			return
		}
	}
}

// TestClaimants: two machines want one set, and their requests to EC2 come in
// any order; one is rebooted or terminated in the middle. One gets all, the
// other has nothing.
func TestClaimants(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	wins := map[string]int{}
	for seed := range rounds {
		wins[race(t, rand.New(rand.NewPCG(uint64(seed), 1)), 2+seed%3)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d races: %v", rounds, wins)
	if wins["i-0a"] == 0 || wins["i-0b"] == 0 {
		t.Errorf("one machine always wins: %v", wins)
	}
}

func race(t *testing.T, r *rand.Rand, count int) (winner string) {
	a := newAccount(t)
	defer a.web.Close()
	vols := a.set(count)
	machines := []*claimant{a.claimant("i-0a", count), a.claimant("i-0b", count)}
	accident := r.IntN(30)
	for n := 0; n < 200 && (winner == "" || machines[0].tries < 4 || machines[1].tries < 4); n++ {
		m := machines[r.IntN(2)]
		if n == accident {
			m.die(r.IntN(2) == 0)
			if r.IntN(2) == 0 { // its replacement has another id
				a.SetInstance(cloud.Instance{ID: m.id, Zone: zone, State: "terminated"})
				m.id += "2"
			}
			m.boot(a, count)
		}
		m.step()
		if winner = whole(a.holders(vols)); winner == "" {
			alone(t, a.holders(vols))
		}
	}
	for _, m := range machines {
		m.die(false)
	}
	who := a.holders(vols)
	if winner = whole(who); winner == "" {
		t.Errorf("nobody has all: %q", who)
	}
	return strings.TrimSuffix(winner, "2")
}

// whole returns who has all volumes, or "".
func whole(who []string) string {
	if len(slices.Compact(slices.Clone(who))) == 1 {
		return who[0]
	}
	return ""
}

// alone checks that only one machine has any of the volumes.
func alone(t *testing.T, who []string) {
	t.Helper()
	some := slices.DeleteFunc(slices.Clone(who), func(w string) bool { return w == "" })
	slices.Sort(some)
	if len(slices.Compact(some)) > 1 {
		t.Errorf("two machines have parts of the set: %q", who)
	}
}

// TestByHand: somebody attaches the last volume by hand while the set is being
// taken. What was taken is given back; when the volume is free again, all are
// taken.
func TestByHand(t *testing.T) {
	for when := range 6 {
		t.Run(fmt.Sprint(when), func(t *testing.T) {
			a := newAccount(t)
			vols := a.set(3)
			m := a.claimant("i-0a", 3)
			for range when {
				m.step()
			}
			last := a.Volume(vols[2])
			if len(last.Attachments) > 0 {
				t.Skip("it has all by now")
			}
			last.Attachments = []cloud.Attachment{{Instance: "i-0hand", Device: "/dev/sdf"}}
			a.AddVolume(last)
			for m.tries = 0; m.tries < 3; {
				m.step()
			}
			if got := fmt.Sprintf("%q", a.holders(vols)); got != `["" "" "i-0hand"]` {
				t.Errorf("while it is elsewhere: %s", got)
			}
			last.Attachments = nil
			a.AddVolume(last)
			for m.tries = 0; m.tries < 3; {
				m.step()
			}
			m.die(false)
			if got := whole(a.holders(vols)); got != "i-0a" {
				t.Errorf("when it is free again: %q", a.holders(vols))
			}
		})
	}
}

// detached notes which volumes are detached, in turn.
type detached []string

func (d *detached) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	if q, err := url.ParseQuery(string(text)); err == nil && q.Get("Action") == "DetachVolume" {
		*d = append(*d, q.Get("VolumeId"))
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestLostMidway: who loses a later volume has given back the others when the
// try ends, the first last.
func TestLostMidway(t *testing.T) {
	a := newAccount(t)
	vols := a.set(3)
	var back detached
	c := a.instance("i-0a", &back)
	set, err := c.Find(t.Context(), orders, 3)
	if err != nil {
		t.Fatal(err)
	}
	a.AddVolume(cloud.Volume{ID: vols[2], Zone: zone, Tags: orders, Attachments: []cloud.Attachment{{Instance: "i-0hand", Device: "/dev/sdf"}}})
	if err := c.Claim(t.Context(), set); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprintf("%q", a.holders(vols)); got != `["" "" "i-0hand"]` {
		t.Errorf("lost the last: %s", got)
	}
	if want := []string{vols[1], vols[0]}; !slices.Equal(back, want) {
		t.Errorf("given back: %v, want %v", back, want)
	}
}
