package agent

import (
	"strings"
	"testing"
	"time"

	"bootswain/volume"
)

func TestProgress(t *testing.T) {
	p := volume.Progress{Volume: "scratch", Step: "fill it", Done: 3 << 30, Total: 4 << 30, Took: 2 * time.Second}
	if got, want := goingOn(p), "fill it, 75 %, 1610 MB/s"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if got, want := progressBar(p, 40), "[███████████████     ] scratch: fill it"; got != want {
		t.Errorf("the bar is %q, want %q", got, want)
	}
	for _, c := range []struct {
		change func(*volume.Progress)
		want   string
	}{
		{func(*volume.Progress) {}, ""},
		{func(p *volume.Progress) { p.Done = 2 << 30 }, "scratch: fill it, 50 %, 1073 MB/s\n"},
		{func(p *volume.Progress) { p.Done, p.Ended = 4<<30, true }, "scratch: fill it (2.00s, 2147 MB/s)\n"},
		{func(p *volume.Progress) { *p = volume.Progress{Volume: "scratch", Step: "open it", Ended: true} }, "scratch: open it (0.00s)\n"},
	} {
		var out strings.Builder
		q := p
		c.change(&q)
		(&Agent{out: &out}).showProgress(q)
		if out.String() != c.want {
			t.Errorf("it prints %q, want %q", out.String(), c.want)
		}
	}
}
