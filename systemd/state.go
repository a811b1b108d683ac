package systemd

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// State is how a unit stands.
type State struct {
	Name     string    // the unit's own name, when it was asked for by an alias
	Load     string    // loaded, not-found, masked, error, …
	Active   string    // active, inactive, failed, activating, deactivating, reloading
	Sub      string    // running, mounted, dead, auto-restart, …
	Result   string    // success, exit-code, signal, timeout, exec-condition, …; "" if the unit's type has none
	MainPID  int       // 0: none
	Text     string    // what a service last said of itself: STATUS= of sd_notify(3)
	Queued   bool      // systemd has yet to finish a start or stop of it
	Outdated bool      // its file changed after the manager read it
	DropIns  []string  // the paths of those that the manager read
	Since    time.Time // when Active last changed; zero: never
}

// Exists says whether there is such a unit to start.
func (s State) Exists() bool { return s.Load == "loaded" }

// Running says whether the unit is up, coming up or going down: whether it may
// have processes.
func (s State) Running() bool { return s.Active != "inactive" && s.Active != "failed" }

// State reads how a unit stands. A unit that does not exist gives a State whose
// Load says so and no error.
func (m *Manager) State(ctx context.Context, unit string) (State, error) {
	var state State
	err := m.with(ctx, func(b bus) (err error) {
		state, err = readState(ctx, b, unit)
		return err
	})
	return state, err
}

// Failed returns the names of the units that have failed, in order.
func (m *Manager) Failed(ctx context.Context) (names []string, err error) {
	err = m.with(ctx, func(b bus) error {
		units, err := b.ListUnitsFilteredContext(ctx, []string{"failed"})
		if err != nil {
			return fmt.Errorf("cannot read which units have failed: %w", err)
		}
		for _, u := range units {
			names = append(names, u.Name)
		}
		slices.Sort(names)
		return nil
	})
	return names, err
}

func readState(ctx context.Context, b bus, unit string) (State, error) {
	p, err := b.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return State{}, fmt.Errorf("cannot read the state of %s: %w", unit, err)
	}
	str := func(key string) string { s, _ := p[key].(string); return s }
	s := State{
		Name: str("Id"), Load: str("LoadState"), Active: str("ActiveState"),
		Sub: str("SubState"), Result: str("Result"), Text: str("StatusText"),
	}
	s.Outdated, _ = p["NeedDaemonReload"].(bool)
	s.DropIns, _ = p["DropInPaths"].([]string)
	// A pair of the job's id and its object path; the id is 0 if there is none.
	if job, ok := p["Job"].([]any); ok && len(job) > 0 {
		id, _ := job[0].(uint32)
		s.Queued = id != 0
	}
	if pid, ok := p["MainPID"].(uint32); ok {
		s.MainPID = int(pid)
	}
	if usec, ok := p["StateChangeTimestamp"].(uint64); ok && usec > 0 {
		s.Since = time.UnixMicro(int64(usec))
	}
	return s, nil
}
