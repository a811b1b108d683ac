package agent

import (
	"errors"
	"testing"

	"bootswain/internal/situation"
	"bootswain/spec"
)

func TestExitCode(t *testing.T) {
	say := func(w situation.Word) error { return &situation.Situation{Word: w, Subject: "data", Text: "so"} }
	faults := &spec.Errors{Faults: []spec.Fault{{Line: 1, Column: 1, Message: "wrong"}}}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"nothing wrong":             {nil, ExitDone},
		"plain error":               {errors.New("no"), ExitFailed},
		"failed":                    {say(situation.Failed), ExitFailed},
		"refused":                   {say(situation.Refused), ExitRefused},
		"waiting":                   {say(situation.Waiting), ExitNotReady},
		"locked":                    {say(situation.Locked), ExitNotReady},
		"launch data":               {&situation.Situation{Word: situation.Failed, Cause: faults}, ExitLaunchData},
		"refused before the others": {errors.Join(say(situation.Waiting), errors.New("no"), errors.Join(faults, say(situation.Refused))), ExitRefused},
		"launch data before failed": {errors.Join(errors.New("no"), faults), ExitLaunchData},
		"failed before waiting":     {errors.Join(say(situation.Waiting), errors.New("no")), ExitFailed},
		"held by the gate":          {heldError{say(situation.Held)}, ExitHeld},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

func TestExplainShowsEverySentenceWithItsNextStep(t *testing.T) {
	err := errors.Join(
		&situation.Situation{Word: situation.Refused, Subject: "data", Text: "vol-1 holds ext4.", Next: "correct ebs"},
		errors.New("cannot lock"),
	)
	want := "REFUSED data: vol-1 holds ext4.\n  next: correct ebs\nbootswain: cannot lock"
	if got := Explain(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
