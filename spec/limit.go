package spec

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Limit is from where on a measurement of health warns or fails.
type Limit struct {
	Check string // its name; what stands before the colon where there are several: "space"
	Unit  Unit
	Warn  float64 // infinite: never
	Fail  float64
	Below bool // the value is bad when it is low
}

// Unit is what a limit counts. Limits in time are durations in the document.
type Unit string

// The units of limits.
const (
	Percent      Unit = "percent"
	Seconds      Unit = "seconds"
	Hours        Unit = "hours"
	Tasks        Unit = "tasks"
	Transactions Unit = "transactions"
)

var never = math.Inf(1)

var percentage = lazily(`^\d+(\.\d+)?%$`)

// Limits are the default thresholds of everything that is measured.
var Limits = []Limit{
	{"processor", Percent, 95, never, false},
	{"load", Tasks, 8, never, false},
	{"memory", Percent, 10, 3, true},
	{"swap", Percent, 80, never, false},
	{"pressure:cpu", Percent, 90, never, false},
	{"pressure:memory", Percent, 10, 50, false},
	{"pressure:io", Percent, 40, never, false},
	{"space", Percent, 85, 95, false},
	{"inodes", Percent, 85, 97, false},
	{"full-in", Hours, 24, never, true},
	{"disk", Seconds, 10, 30, false},
	{"clock", Seconds, 1, never, false},
	{"snapshot", Percent, 90, 100, false},
	{"backup", Percent, 90, 100, false},
	{"mysql:connections", Percent, 80, 95, false},
	{"mysql:history", Transactions, 1_000_000, never, false},
	{"mysql:checkpoint", Percent, 90, never, false},
	{"mysql:replication", Seconds, 60, 600, false},
}

func limitNames() (names []string) {
	for _, l := range Limits {
		names = append(names, l.Check)
	}
	return names
}

// limits reads the mapping of checks to limits. What a limit leaves out is as by
// default, and so is one with a fault as a whole.
func (r *reader) limits(n *yaml.Node, path string) (changed []Limit) {
	for name, pair := range r.pairs(n, path) {
		where := step(path, name)
		i := slices.Index(limitNames(), name)
		if i < 0 {
			whole, _, _ := strings.Cut(name, ":")
			hint := nearest(name, limitNames())
			if slices.Contains(limitNames(), whole) {
				hint = whole
			}
			if hint != "" {
				hint += "?"
			}
			r.fault(pair.key, where, hint, "unknown")
			continue
		}
		before := len(r.faults)
		if l := r.limit(Limits[i], pair.value, where); len(r.faults) == before {
			changed = append(changed, l)
		}
	}
	return changed
}

func (r *reader) limit(l Limit, n *yaml.Node, path string) Limit {
	before := len(r.faults)
	r.mapping(n, path, fields{
		"warn": func(n *yaml.Node, path string) { l.Warn = r.threshold(l.Unit, n, path) },
		"fail": func(n *yaml.Node, path string) { l.Fail = r.threshold(l.Unit, n, path) },
	})
	if len(r.faults) > before {
		return l
	}
	switch first := l.Warn < l.Fail; {
	case len(n.Content) == 0:
		r.fault(n, path, "warn, fail or both", "says no limit")
	case math.IsInf(l.Warn, 0) || math.IsInf(l.Fail, 0) || l.Warn != l.Fail && first != l.Below:
	case !hasKey(n, "warn"):
		r.fault(n, path, "give warn, too; never turns it off", "would fail before it warns, which is by default at %s", l.text(l.Warn))
	case !hasKey(n, "fail"):
		r.fault(n, path, "give fail, too; never turns it off", "would fail before it warns: it fails by default at %s", l.text(l.Fail))
	default:
		r.fault(n, path, "", "would fail before it warns")
	}
	return l
}

// text is a threshold as the document has it.
func (l Limit) text(v float64) string {
	switch l.Unit {
	case Seconds:
		return time.Duration(v * float64(time.Second)).String()
	case Hours:
		return time.Duration(v * float64(time.Hour)).String()
	case Percent:
		return strconv.FormatFloat(v, 'f', -1, 64) + "%"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// threshold reads where a limit begins, in its unit.
func (r *reader) threshold(unit Unit, n *yaml.Node, path string) float64 {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && n.Value == "never" {
		return never
	}
	if unit == Seconds || unit == Hours {
		d, _ := r.duration(n, path)
		if unit == Hours {
			return d.Hours()
		}
		return d.Seconds()
	}
	if !r.kind(n, path, yaml.ScalarNode) {
		return 0
	}
	text, most, hint := n.Value, math.MaxFloat32, "a number, or never"
	isNumber := n.ShortTag() == "!!int" || n.ShortTag() == "!!float"
	if unit == Percent {
		most, hint = 100, "as in 85, 85% or never"
		if percentage.MatchString(text) {
			text, isNumber = strings.TrimSuffix(text, "%"), true
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if !isNumber || err != nil || !(v > 0 && v <= most) {
		r.fault(n, path, hint, "%s is not a limit in %s", show(n.Value), unit)
		return 0
	}
	return v
}
