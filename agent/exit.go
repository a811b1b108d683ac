package agent

import (
	"errors"
	"strings"

	"bootswain/internal/situation"
	"bootswain/spec"
)

// The exit codes of every command; only the gate and check have their own.
const (
	ExitDone       = 0   // nothing wrong
	ExitFailed     = 1   // see the message
	ExitUsage      = 2   // the command line is wrong
	ExitRefused    = 3   // going on could destroy data
	ExitNotReady   = 4   // something outside is missing
	ExitLaunchData = 5   // the launch data is wrong
	ExitHeld       = 255 // systemd fails a start whose ExecCondition= exits so; 1 to 254 would skip it as a success
)

// heldError is the gate's answer; it alone exits with ExitHeld.
type heldError struct{ error }

func (e heldError) Unwrap() error { return e.error }

// ExitCode returns the exit code for err. Where several codes hold, refused
// goes before wrong launch data, then failed, then not ready.
func ExitCode(err error) int {
	if err == nil {
		return ExitDone
	}
	if _, held := errors.AsType[heldError](err); held {
		return ExitHeld
	}
	if code, ok := isNagios(err); ok {
		return code
	}
	worst := ExitNotReady
	for _, e := range leaves(err) {
		if c := codeOf(e); rank(c) < rank(worst) {
			worst = c
		}
	}
	return worst
}

func rank(code int) int {
	for i, c := range []int{ExitRefused, ExitLaunchData, ExitFailed, ExitNotReady} {
		if c == code {
			return i
		}
	}
	return 0
}

func codeOf(err error) int {
	if _, ok := errors.AsType[*spec.Errors](err); ok {
		return ExitLaunchData
	}
	s := situation.Of(err)
	if s == nil {
		return ExitFailed
	}
	switch s.Word {
	case situation.Refused:
		return ExitRefused
	case situation.Waiting, situation.Locked, situation.Held, situation.Working, situation.Recovering, situation.Down:
		return ExitNotReady
	default:
		return ExitFailed
	}
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

// Explain returns what a person reads when a command fails: every sentence in
// err that was not printed already, each with what to do next.
func Explain(err error) string {
	var lines []string
	for _, e := range leaves(err) {
		if _, told := errors.AsType[toldError](e); told {
			continue
		}
		if _, told := isNagios(e); told {
			continue
		}
		if s := situation.Of(e); s != nil {
			lines = append(lines, s.String())
		} else {
			lines = append(lines, "bootswain: "+e.Error())
		}
	}
	return strings.Join(lines, "\n")
}
