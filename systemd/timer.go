package systemd

import (
	"context"
	"strconv"
	"time"
)

// Repeat makes a timer unit of ours run its service again and again, from now on
// and this long after it ended each time. With the same period nothing happens.
// It does not wait: the timer may be ordered after what calls this.
func (m *Manager) Repeat(ctx context.Context, timer string, every time.Duration) error {
	state, read, err := m.dropIn(ctx, timer, "50-every.conf", everyDropIn(every))
	if err != nil {
		return err
	}
	if !read {
		if err := m.with(ctx, func(b bus) error { return reload(ctx, b) }); err != nil {
			return err
		}
		if err := m.Stop(ctx, timer); err != nil { // one that runs keeps to the old period
			return err
		}
	} else if state.Running() {
		return nil
	}
	return m.Enqueue(ctx, timer)
}

// everyDropIn returns a drop-in that gives a timer unit one period.
func everyDropIn(every time.Duration) string {
	u := text{}
	u.section("Timer")
	u.add("OnActiveSec", "") // an empty value drops all times set before
	seconds := strconv.FormatInt(int64(every/time.Second), 10)
	u.set("OnActiveSec", seconds)
	u.set("OnUnitInactiveSec", seconds)
	return u.String()
}
