package ebs

import (
	"errors"
	"fmt"

	"bootswain/internal/cloud"
	"bootswain/internal/situation"
)

// Causes of situations, for errors.Is.
var (
	// ErrNoRole is an instance that may ask EC2 nothing, because it was given
	// no role, or its metadata service gives no credentials.
	ErrNoRole = errors.New("this instance has no role to ask EC2 with")
	// ErrSoon is a state that passes within seconds; EC2 tells nobody when.
	ErrSoon = errors.New("EC2 is at it")
	// ErrUnsure is a request of which nobody knows whether it was carried out;
	// the next may well be answered.
	ErrUnsure = errors.New("EC2 did not say")
	// ErrUnanswered is a question that EC2 did not answer, for whatever reason.
	ErrUnanswered = errors.New("EC2 gave no answer")
)

const againByItself = "nothing; asked again by itself"

// explain says what became of a request to EC2.
func explain(f *cloud.Failure) *situation.Situation {
	refused := fmt.Errorf("%w: %w", ErrUnanswered, f)
	s := &situation.Situation{Word: situation.Waiting, Cause: fmt.Errorf("%w: %w", ErrUnsure, refused), Next: againByItself}
	switch f.Kind {
	case cloud.NoCredentials:
		s.Cause = fmt.Errorf("%w: %w", ErrNoRole, refused)
		s.Text = "EC2 cannot be asked: " + f.Why() + "."
		s.Next = f.Next()
	case cloud.Throttled:
		s.Text = fmt.Sprintf("EC2 throttles %s (%s).", f.Action, f.Code)
	case cloud.Denied:
		s.Cause = refused
		s.Text = fmt.Sprintf("EC2 denied %s%s (%s).", f.Action, toRole(f.Role), f.Code)
		s.Next = f.Next() + "; asked again by itself"
	case cloud.Broken:
		s.Text = fmt.Sprintf("EC2 is in trouble: it answered %s with %s.", f.Action, f.Code)
	case cloud.NotFound, cloud.Refused:
		s.Word, s.Cause = situation.Failed, refused
		s.Text = fmt.Sprintf("EC2 refused %s: %s (%s).", f.Action, f.Message, f.Code)
		s.Next = "correct it; asked again by itself"
	case cloud.Unreachable:
		s.Text = fmt.Sprintf("EC2 cannot be reached for %s: %s.", f.Action, f.Why())
		s.Next = f.Next() + "; asked again by itself"
		if f.Silent {
			s.Text = fmt.Sprintf("EC2 did not answer %s in %.0f s.", f.Action, f.Took.Seconds())
			s.Next = "nothing if EC2 is slow; if it cannot be reached from here: " + f.Next()
		}
	default:
		s.Text = fmt.Sprintf("EC2 gave no usable answer to %s: %s.", f.Action, f.Why())
	}
	return s
}

// toRole names the role that was denied something, where EC2 says it.
func toRole(role string) string {
	if role == "" {
		return ""
	}
	return " to role " + role
}

// code returns EC2's error code in err's chain, or "".
func code(err error) string {
	if f := cloud.Of(err); f != nil {
		return f.Code
	}
	return ""
}

// waiting is a state of affairs that passes, or that a person ends.
func waiting(next, format string, args ...any) *situation.Situation {
	return &situation.Situation{Word: situation.Waiting, Text: fmt.Sprintf(format, args...) + ".", Next: next}
}

// soon is one that passes within seconds.
func soon(format string, args ...any) *situation.Situation {
	s := waiting("nothing; goes on by itself", format, args...)
	s.Cause = ErrSoon
	return s
}

func refused(next, format string, args ...any) *situation.Situation {
	s := waiting(next, format, args...)
	s.Word = situation.Refused
	return s
}
