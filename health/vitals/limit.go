package vitals

import (
	"math"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
)

// Limit is from where on a measurement warns or fails.
type Limit struct {
	Check    string  // its name; what stands before the colon where there are several
	Measures string  // what the value is
	Unit     string  // "percent"
	Warn     float64 // infinite: never
	Fail     float64
	Below    bool   // the value is bad when it is low
	Next     string // what to do
}

var never = math.Inf(1)

// Limits are the default thresholds of everything that this package measures.
var Limits = []Limit{
	{"processor", "time in which the processors work, over 5 minutes", "percent", 95, never, false, "see what works: top; a larger instance, if it is wanted work"},
	{"load", "tasks that run or wait, for each processor, over 15 minutes", "tasks", 8, never, false, "see what waits, and for what: ps -eo state,wchan,args | grep ^[RD]"},
	{"memory", "memory that programs can still have", "percent", 10, 3, true, "see who has it: ps --sort=-rss -eo rss,args; a smaller buffer pool, or a larger instance"},
	{"swap", "swap that is taken", "percent", 80, never, false, "see who has it: ps --sort=-rss -eo rss,args"},
	{"pressure:cpu", "time in which some task waits for a processor, over 5 minutes", "percent", 90, never, false, "see what works: top"},
	{"pressure:memory", "time in which all tasks wait for memory, over 5 minutes", "percent", 10, 50, false, "see who has it: ps --sort=-rss -eo rss,args"},
	{"pressure:io", "time in which all tasks wait for disks, over 5 minutes", "percent", 40, never, false, "see which disk is slow: the checks disk and latency"},
	{"space", "space that is taken", "percent", 85, 95, false, "make room, or make the volume larger in EC2: it grows while it is mounted"},
	{"inodes", "files that are taken of those there can be", "percent", 85, 97, false, "delete small files that nobody needs; an ext4 gets no more of them later"},
	{"full-in", "until the file system is full, if it goes on as in the last 6 hours", "hours", 24, never, true, "make room, or make the volume larger in EC2: it grows while it is mounted"},
	{"disk", "for which requests are under way and none has ended", "seconds", 10, 30, false, "the volume does not answer: look at its status in EC2; dmesg"},
	{"clock", "by which the clock may be wrong, as far as the kernel knows; also a jump of a second, and no source of time 30 minutes after boot", "seconds", 1, never, false, "chronyc tracking; EC2 has a clock at 169.254.169.123"},
}

// limitOf returns the limit of a check. It is a fault of this package to ask for
// one that is not there.
func limitOf(check string) Limit {
	for _, l := range Limits {
		if l.Check == check {
			return l
		}
	}
	panic("no limit of " + check)
}

// status judges a value.
func (l Limit) status(v float64) health.Status {
	beyond := func(limit float64) bool {
		if math.IsInf(limit, 0) {
			return false
		}
		return l.Below && v < limit || !l.Below && v >= limit
	}
	switch {
	case beyond(l.Fail):
		return health.Fail
	case beyond(l.Warn):
		return health.Warn
	}
	return health.Pass
}

// judge makes the check of a value. what tells one of several from the others:
// "/srv/data"; text is the sentence's.
func judge(name, what string, v float64, text string, now time.Time) health.Check {
	l := limitOf(name)
	subject := name
	if what != "" {
		name, subject = name+":"+what, what
	}
	v = math.Round(v*100) / 100
	c := health.Check{Name: name, Status: l.status(v), Time: now, Value: &v, Unit: l.Unit, Quiet: true}
	c.Sentence = health.Sentence{Word: situation.Ready, Subject: subject, Text: text}
	switch c.Status {
	case health.Warn:
		c.Sentence.Word, c.Sentence.Next = situation.Degraded, l.Next
	case health.Fail:
		c.Sentence.Word, c.Sentence.Next = situation.Failed, l.Next
	}
	return c
}
