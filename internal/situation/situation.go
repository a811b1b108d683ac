// Package situation is the one sentence that bootswain says about a state of
// affairs, the same in status, health, on the console and in the journal.
//
// Every room that finds out that something cannot go on as asked returns a
// *Situation as its error. Only the agent turns situations into output and
// exit codes.
package situation

import (
	"errors"
	"fmt"
)

// Word is the first word of a sentence: what kind of situation this is.
type Word string

// The words, from the good to the bad.
const (
	Ready      Word = "READY"      // as asked for
	Working    Word = "WORKING"    // steps are being carried out
	Down       Word = "DOWN"       // taken down by a person; stays down until up or reboot
	Recovering Word = "RECOVERING" // the database repairs itself
	Degraded   Word = "DEGRADED"   // works, but worse than it should
	Waiting    Word = "WAITING"    // something outside is missing; goes on by itself
	Locked     Word = "LOCKED"     // the key cannot be had; data untouched
	Held       Word = "HELD"       // a service is kept from starting
	Refused    Word = "REFUSED"    // going on could destroy data; a person decides
	Failed     Word = "FAILED"     // tried, or lost, and broken
)

// Situation is one sentence: "WORD subject: text" and what to do next.
// It never contains a secret.
type Situation struct {
	Word    Word
	Subject string // a volume's name, "launch data", "users", or a unit
	Text    string // full sentences without the final line break
	Next    string // what a person should do, or what goes on by itself
	Cause   error  // for errors.Is and As only; Text already tells it
}

// Error returns the first line of the sentence.
func (s *Situation) Error() string {
	return fmt.Sprintf("%s %s: %s", s.Word, s.Subject, s.Text)
}

// String returns the sentence as people see it: one line, and a second one
// with the next step if there is one.
func (s *Situation) String() string {
	if s.Next == "" {
		return s.Error()
	}
	return s.Error() + "\n  next: " + s.Next
}

// Unwrap returns the cause.
func (s *Situation) Unwrap() error { return s.Cause }

// Of returns the Situation in err's chain, or nil.
func Of(err error) *Situation {
	if s, ok := errors.AsType[*Situation](err); ok {
		return s
	}
	return nil
}
