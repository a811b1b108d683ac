package spec

import (
	"math"
	"reflect"
	"testing"
	"time"
)

// TestLimits: what is not said of a limit is as by default, and one with a fault
// is none at all: health goes on by the others.
func TestLimits(t *testing.T) {
	s, err := Parse([]byte("version: 1\nhealth: {limits: {space: {warn: 90, fail: 98.5%}, pressure:io: {warn: never}, full-in: {warn: 2d}, memory: {fail: 1}, disk: {fail: 1m}, swap: {warn: 0}}}\n"))
	if err == nil || err.Error() != `2:150: health.limits.swap.warn "0" is not a limit in percent (as in 85, 85% or never)` {
		t.Errorf("got %v", err)
	}
	inf := math.Inf(1)
	want := []Limit{
		{"space", Percent, 90, 98.5, false}, {"pressure:io", Percent, inf, inf, false}, {"full-in", Hours, 48, inf, true},
		{"memory", Percent, 10, 1, true}, {"disk", Seconds, 10, 60, false},
	}
	if !reflect.DeepEqual(s.Health.Limits, want) {
		t.Errorf("got %+v, want %+v", s.Health.Limits, want)
	}
	for _, l := range Limits {
		if math.IsInf(l.Warn, 0) || !math.IsInf(l.Fail, 0) && (l.Warn < l.Fail) == l.Below {
			t.Errorf("%s by default: %+v", l.Check, l)
		}
	}
}

func TestRPO(t *testing.T) {
	s, err := Parse([]byte("version: 1\nhealth: {rpo: {data: {backup: 1d2h}}}\nvolumes: {data: {ebs: {devices: [/dev/sdf]}, mount: /srv/data}}\n"))
	if want := []RPO{{Volume: "data", Backup: 26 * time.Hour}}; err != nil || !reflect.DeepEqual(s.Health.RPO, want) {
		t.Errorf("got %+v, %v, want %+v", s, err, want)
	}
}
