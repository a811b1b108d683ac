package vitals

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/health"
	"bootswain/internal/situation"
)

const (
	// clockGrace is how long after boot a clock may be alone.
	clockGrace = 30 * time.Minute
	// jumpTold is how long a jump is told of.
	jumpTold = 10 * time.Minute
	// jump is what a clock that is slewed never does between two looks.
	jump = time.Second
)

// clock follows the machine's clock.
type clock struct {
	host   Host
	before time.Time // of the last look
	jumped time.Duration
	at     time.Time // when it jumped
}

func (c *clock) look(now time.Time) Seen {
	var s Seen
	t, err := c.host.Clock()
	if err != nil {
		return s
	}
	// Sub goes by the monotonic clock, the difference of Round(0) by the other.
	if !c.before.IsZero() {
		if by := now.Round(0).Sub(c.before.Round(0)) - now.Sub(c.before); by.Abs() >= jump {
			c.jumped, c.at = by, now
		}
	}
	c.before = now
	wrong := time.Duration(t.Maxerror) * time.Microsecond
	alone := t.Status&unix.STA_UNSYNC != 0
	if alone {
		wrong = 0 // not known at all
	}
	check := Measured("clock", "", wrong.Seconds(), fmt.Sprintf("wrong by %s at most.", wrong.Round(time.Microsecond)), now)
	warn := func(text string) {
		check.Status = health.Warn
		check.Sentence = health.Sentence{Word: situation.Degraded, Subject: "clock", Text: text, Next: measured["clock"].next}
	}
	switch {
	case c.jumped != 0 && now.Sub(c.at) < jumpTold:
		warn(fmt.Sprintf("jumped by %s %s ago.", c.jumped.Round(time.Millisecond), now.Sub(c.at).Round(time.Second)))
	case alone && uptime(c.host.Proc) > clockGrace:
		warn("follows no source of time.")
	case alone:
		check.Sentence.Text = "follows no source of time yet."
	}
	s.Checks = append(s.Checks, check)
	synchronized := 1.0
	if alone {
		synchronized = 0
	} else {
		s.add("bootswain_clock_error_max_seconds", health.Gauge, "By how much the clock may be wrong, as far as the kernel knows.", "", labelled{value: wrong.Seconds()})
	}
	s.add("bootswain_clock_synchronized", health.Gauge, "Whether the clock follows a source of time.", "", labelled{value: synchronized})
	return s
}

// uptime is how long ago the machine booted, by the first number of proc(5)'s
// uptime.
func uptime(proc string) time.Duration {
	b, err := os.ReadFile(filepath.Join(proc, "uptime"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
