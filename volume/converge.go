package volume

import (
	"context"
	"errors"
	"time"

	"bootswain/internal/situation"
	"bootswain/raid"
	"bootswain/spec"
)

// Converge looks, plans and carries out until the plan is empty, and returns
// what it saw last. A plan that comes twice in a row is a failure: what was
// done did not help. progress, which may be nil, is called from several
// goroutines.
func Converge(ctx context.Context, h *Host, want spec.Volume, progress func(Progress)) (State, error) {
	w := newWork(h, want.Name, progress)
	defer w.end()
	last := ""
	for {
		s, err := w.observe(ctx, want)
		if err != nil {
			return s, err
		}
		p, err := Plan(want, s)
		if err != nil || len(p) == 0 {
			return s, err
		}
		text := p.String()
		if text == last {
			return s, &situation.Situation{Word: situation.Failed, Subject: want.Name, Text: "no progress: the same steps are due again: " + p[0].String() + ".", Next: "tried again by itself"}
		}
		last = text
		for _, step := range p {
			err := w.do(step.String(), func() error { return step.Apply(ctx) })
			if errors.Is(err, raid.ErrBusy) {
				break // somebody else is starting the array: look again
			}
			if err != nil && grows(step) {
				up := w.afterwards(ctx, s, want)
				up.Stuck = explain(want.Name, step.String(), err)
				return up, nil
			}
			if err != nil {
				return w.afterwards(ctx, s, want), explain(want.Name, step.String(), err)
			}
		}
	}
}

// do does one thing and tells about it.
func (w *work) do(what string, thing func() error) error {
	p := Progress{Volume: w.name, Step: what}
	w.tell(p)
	began := time.Now()
	err := thing()
	p.Ended, p.Failed, p.Took = true, err != nil, time.Since(began)
	w.tell(p)
	return err
}

// afterwards looks once more after a failure; where even that fails, what was
// seen before it has to do.
func (w *work) afterwards(ctx context.Context, before State, want spec.Volume) State {
	if s, err := w.observe(ctx, want); err == nil {
		return s
	}
	return before
}
