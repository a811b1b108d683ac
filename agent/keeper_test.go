package agent

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/spec"
	"bootswain/volume"
)

// TestTriedAgain: a volume that is tried again and again to no avail is said to be
// in trouble all the while, and what was done does not become longer and longer.
func TestTriedAgain(t *testing.T) {
	var out strings.Builder
	var said []string
	k := (&Agent{out: &out}).newKeeper(nil, spec.Volume{Name: "data"}, nil, false, func(v view) {
		if s := v.sentence().Error(); len(said) == 0 || said[len(said)-1] != s {
			said = append(said, s)
		}
	})
	pass := func(steps ...volume.Progress) {
		var err error
		for _, p := range steps {
			p.Volume, p.Took = "data", time.Second
			begin := p
			begin.Failed = false
			k.progress(begin)
			p.Ended = true
			k.progress(p)
			if p.Failed {
				err = errors.New("denied")
			}
		}
		k.settle(volume.State{}, err)
	}
	assemble, key := volume.Progress{Step: "assemble"}, volume.Progress{Step: "get the key", Failed: true}
	for range 5 {
		pass(assemble, key)
	}
	pass(volume.Progress{Step: "prefill", Total: 100, Done: 50}, key)
	key.Failed = false
	pass(key, volume.Progress{Step: "mount"})
	key.Failed = true
	pass(key)

	want := []string{
		"WORKING data: assemble.", "WORKING data: being looked at.", "WORKING data: get the key.", "WORKING data: being looked at.", "FAILED data: denied.",
		"WORKING data: prefill, 50 %, 0 MB/s.", "FAILED data: denied.", "WORKING data: mount.", "FAILED data: denied.", "READY data: mounted on .",
		"WORKING data: get the key.", "READY data: mounted on .", "FAILED data: denied.",
	}
	if !slices.Equal(said, want) {
		t.Errorf("it says %q, want %q", said, want)
	}
	if len(k.view.steps) != 6 { // prefill and mount were done once
		t.Errorf("%d steps of four kinds: %v", len(k.view.steps), k.view.steps)
	}
	if printed := strings.Count(out.String(), "data: get the key ("); printed != 3 { // first, at last, and of the next trouble
		t.Errorf("printed %d times:\n%s", printed, out.String())
	}
}
