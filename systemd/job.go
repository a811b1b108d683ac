package systemd

import (
	"context"
	"fmt"
)

// JobError is a job that systemd carried out and that did not end
// well.
type JobError struct {
	Unit  string
	Verb  string // "start", "stop" or "reload"
	Job   string // systemd's word: failed, timeout, dependency, canceled, skipped, assert, …
	State State  // of the unit afterwards
}

func (e *JobError) Error() string {
	msg := fmt.Sprintf("cannot %s %s: %s", e.Verb, e.Unit, e.Job)
	if r := e.State.Result; r != "" && r != "success" {
		msg += " (" + r + ")"
	}
	return msg + "; see: journalctl -b -u " + e.Unit
}

// Start starts a unit and waits until it is up. A unit that is up already is
// left alone.
func (m *Manager) Start(ctx context.Context, unit string) error {
	return m.with(ctx, func(b bus) error { return job(ctx, b, "start", unit) })
}

// Stop stops a unit and what is bound to it, and waits until it is down. A
// unit that is down already, or does not exist, is no error.
func (m *Manager) Stop(ctx context.Context, unit string) error {
	return m.with(ctx, func(b bus) error { return job(ctx, b, "stop", unit) })
}

// Reload makes a unit that runs read its configuration anew, and waits for it.
// One that does not run, or does not exist, is left alone.
func (m *Manager) Reload(ctx context.Context, unit string) error {
	return m.with(ctx, func(b bus) error { return job(ctx, b, "reload", unit) })
}

// Enqueue asks for the start of a unit and does not wait: for units that are
// ordered after the one that this process belongs to and that is still
// starting.
func (m *Manager) Enqueue(ctx context.Context, unit string) error {
	return m.with(ctx, func(b bus) error {
		_, err := b.StartUnitContext(ctx, unit, "replace", nil)
		return refused("start", unit, err)
	})
}

func job(ctx context.Context, b bus, verb, unit string) error {
	submit := b.StartUnitContext
	switch verb {
	case "stop":
		submit = b.StopUnitContext
	case "reload":
		submit = b.ReloadOrTryRestartUnitContext
	}
	done := make(chan string, 1)
	if _, err := submit(ctx, unit, "replace", done); err != nil {
		if verb != "start" && isDBus(err, noSuchUnit) {
			return nil
		}
		return refused(verb, unit, err)
	}
	select {
	case result := <-done:
		if result == "done" {
			return nil
		}
		state, _ := readState(ctx, b, unit) // adds to the message only
		return &JobError{Unit: unit, Verb: verb, Job: result, State: state}
	case <-ctx.Done():
		return fmt.Errorf("cannot wait any longer for systemd to %s %s: %w", verb, unit, context.Cause(ctx))
	}
}

// refused explains a job that systemd did not take on.
func refused(verb, unit string, err error) error {
	switch {
	case err == nil:
		return nil
	case isDBus(err, destructive):
		return fmt.Errorf("cannot %s %s: %w", verb, unit, ErrShuttingDown)
	case isDBus(err, noSuchUnit):
		return fmt.Errorf("cannot %s %s: there is no such unit", verb, unit)
	default:
		return fmt.Errorf("cannot %s %s: %w", verb, unit, err)
	}
}
