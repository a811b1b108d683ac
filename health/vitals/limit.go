package vitals

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// Limits are the thresholds that differ from the default ones, spec.Limits.
type Limits []spec.Limit

// measured are the checks that have a limit: what the value is, and what to do
// where it is beyond. The database's own checks say more of it.
var measured = map[string]struct{ is, next string }{
	"processor":         {"time in which the processors work, over 5 minutes", "see what works: top; a larger instance, if it is wanted work"},
	"load":              {"tasks that run or wait, for each processor, over 15 minutes", "see what waits, and for what: ps -eo state,wchan,args | grep ^[RD]"},
	"memory":            {"memory that programs can still have", "see who has it: ps --sort=-rss -eo rss,args; a smaller buffer pool, or a larger instance"},
	"swap":              {"swap that is taken", "see who has it: ps --sort=-rss -eo rss,args"},
	"pressure:cpu":      {"time in which some task waits for a processor, over 5 minutes", "see what works: top"},
	"pressure:memory":   {"time in which all tasks wait for memory, over 5 minutes", "see who has it: ps --sort=-rss -eo rss,args"},
	"pressure:io":       {"time in which all tasks wait for disks, over 5 minutes", "see which disk is slow: the checks disk and latency"},
	"space":             {"space that is taken", "make room, or make the volume larger in EC2: it grows while it is mounted"},
	"inodes":            {"files that are taken of those there can be", "delete small files that nobody needs; an ext4 gets no more of them later"},
	"full-in":           {"until the file system is full, if it goes on as in the last 6 hours", "make room, or make the volume larger in EC2: it grows while it is mounted"},
	"disk":              {"for which requests are under way and none has ended", "the volume does not answer: look at its status in EC2; dmesg"},
	"clock":             {"by which the clock may be wrong, as far as the kernel knows; also a jump of a second, and no source of time 30 minutes after boot", "chronyc tracking; EC2 has a clock at 169.254.169.123"},
	"snapshot":          {"age of the volume's last good snapshot, of what `health.rpo` allows", "see why none was taken, or noted"},
	"backup":            {"age of the volume's last good backup, of what `health.rpo` allows", "see why none was made, or noted"},
	"mysql:connections": {"connections that are open, of max_connections", "SHOW FULL PROCESSLIST in it; end sessions, or raise max_connections"},
	"mysql:history":     {"transactions whose undo log waits for the purge", "end the oldest transaction"},
	"mysql:checkpoint":  {"redo since the checkpoint, of that at which writers wait", "a larger redo log, or faster volumes"},
	"mysql:replication": {"that a source is ahead", "find what holds the applier: SHOW FULL PROCESSLIST"},
}

// of returns the limit of a check. It is a fault of this program to ask for one
// that is not there.
func (l Limits) of(check string) spec.Limit {
	for _, limits := range []Limits{l, spec.Limits} {
		if i := slices.IndexFunc(limits, func(l spec.Limit) bool { return l.Check == check }); i >= 0 {
			return limits[i]
		}
	}
	panic("no limit of " + check)
}

// Status judges a value of a check, in the unit of its limit.
func (l Limits) Status(check string, v float64) health.Status {
	limit := l.of(check)
	beyond := func(at float64) bool {
		if math.IsInf(at, 0) {
			return false
		}
		return limit.Below && v < at || !limit.Below && v >= at
	}
	switch {
	case beyond(limit.Fail):
		return health.Fail
	case beyond(limit.Warn):
		return health.Warn
	}
	return health.Pass
}

// Measured makes the check of a value; what it comes to is said when its limit
// is known. what tells one of several from the others: "/srv/data"; text is the
// sentence's. Its next step, where it has one, goes before the limit's.
func Measured(name, what string, v float64, text string, now time.Time) health.Check {
	subject, v := name, math.Round(v*100)/100
	unit := string(Limits(nil).of(name).Unit)
	if what != "" {
		name, subject = name+":"+what, what
	}
	return health.Check{Name: name, Time: now, Value: &v, Unit: unit, Quiet: true,
		Sentence: health.Sentence{Word: situation.Ready, Subject: subject, Text: text}}
}

// Judge gives the checks their status that have a measurement and none.
func (l Limits) Judge(checks []health.Check) {
	for i := range checks {
		c := &checks[i]
		if c.Status != "" || c.Value == nil {
			continue
		}
		name := c.Name
		if _, whole := measured[name]; !whole {
			name, _, _ = strings.Cut(name, ":")
		}
		switch c.Status = l.Status(name, *c.Value); c.Status {
		case health.Pass:
			c.Sentence.Next = ""
			continue
		case health.Warn:
			c.Sentence.Word = situation.Degraded
		case health.Fail:
			c.Sentence.Word = situation.Failed
		}
		c.Sentence.Next = cmp.Or(c.Sentence.Next, measured[name].next)
	}
}
