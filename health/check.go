package health

import (
	"time"

	"bootswain/internal/situation"
)

// Status is what a monitor makes of a check; the words are those of
// draft-inadarei-api-health-check.
type Status string

// The statuses, from the good to the bad.
const (
	Pass Status = "pass"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Check is one thing that is looked at again and again.
type Check struct {
	Name     string    `json:"name"` // "volume:data", "mount:data", "md:data", "luks:data", "mysql", "launch-data", "users", "imds"
	Status   Status    `json:"status"`
	Sentence Sentence  `json:"sentence"`
	Time     time.Time `json:"time"`            // when it was looked at
	Since    time.Time `json:"since,omitzero"`  // since when the status is what it is
	Value    *float64  `json:"value,omitempty"` // a measurement, where there is one
	Unit     string    `json:"unit,omitempty"`

	// MaxAge is how old Time may be before the check fails by itself, because
	// whoever looks hangs; 0 means the package's MaxAge.
	MaxAge time.Duration `json:"max_age_ns,omitempty"`
	// Quiet checks are said to people only when they do not pass.
	Quiet bool `json:"quiet,omitempty"`
}

// patience is how old the check's Time may be.
func (c Check) patience() time.Duration {
	if c.MaxAge == 0 {
		return MaxAge
	}
	return c.MaxAge
}

// aged returns the check as it is to be believed at the time now. What nobody has
// looked at for too long is not known, and so fails; as one of the future does.
func (c Check) aged(now time.Time) Check {
	age := now.Sub(c.Time).Abs()
	if age <= c.patience() {
		return c
	}
	last := c.Sentence.Situation().Error()
	c.Status, c.Since, c.Value = Fail, c.Time, nil
	c.Sentence = Sentence{
		Word: situation.Failed, Subject: c.Name,
		Text: "not looked at for " + age.Round(time.Second).String() + "; it was: " + last,
		Next: "whoever looks hangs, as on a disk that does not answer: journalctl -b -u bootswain -k",
	}
	return c
}

// StatusOf returns the status that a word has if nothing else is known. What
// goes on by itself is a warning until somebody decides that it is overdue.
func StatusOf(w situation.Word) Status {
	switch w {
	case situation.Ready:
		return Pass
	case situation.Working, situation.Down, situation.Recovering, situation.Degraded, situation.Waiting:
		return Warn
	default:
		return Fail
	}
}

// CheckOf returns the check of a situation with the status of its word.
func CheckOf(name string, s *situation.Situation, now time.Time) Check {
	return Check{Name: name, Status: StatusOf(s.Word), Sentence: SentenceOf(s), Time: now}
}

// Worst returns the worst status of the checks. No check at all is a failure:
// nothing was looked at.
func Worst(checks []Check) Status {
	if len(checks) == 0 {
		return Fail
	}
	worst := Pass
	for _, c := range checks {
		if c.Status != Pass && (c.Status != Warn || worst == Pass) {
			worst = c.Status
		}
	}
	return worst
}

// Settled says whether the machine does its work: nothing fails and nothing is
// still on its way.
func Settled(checks []Check) bool {
	for _, c := range checks {
		switch c.Sentence.Word {
		case situation.Working, situation.Down, situation.Recovering, situation.Waiting:
			return false
		}
	}
	return Worst(checks) != Fail
}

// Track fills in since when each check has its status: since before if it had
// the same one there, else since it was looked at now.
func Track(before, now []Check) []Check {
	known := make(map[string]Check, len(before))
	for _, c := range before {
		known[c.Name] = c
	}
	tracked := make([]Check, len(now))
	for i, c := range now {
		c.Since = c.Time
		if old, ok := known[c.Name]; ok && old.Status == c.Status && !old.Since.IsZero() {
			c.Since = old.Since
		}
		tracked[i] = c
	}
	return tracked
}
