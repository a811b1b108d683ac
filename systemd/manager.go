package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bootswain/internal/atomicfile"

	"github.com/coreos/go-systemd/v22/dbus"
)

// Manager speaks with the machine's service manager. It holds no state and no
// connection, and may be used by several goroutines; writing the same unit
// from two at once is for the caller to prevent.
type Manager struct {
	dir     string // where generated units are written
	flag    string // where StorageReady leaves its mark
	connect func(context.Context) (bus, error)
}

// NewManager returns the Manager of this machine. It connects to nothing yet.
func NewManager() *Manager {
	return &Manager{dir: "/run/systemd/system", flag: storageFlag, connect: private}
}

// Mount writes the unit of u, starts it and waits until it is mounted. A mount
// that is there already is left as it is. The mount point must exist.
func (m *Manager) Mount(ctx context.Context, u MountUnit) error {
	if err := u.check(); err != nil {
		return err
	}
	if err := m.write(u.Name(), u.String()); err != nil {
		return err
	}
	return m.with(ctx, func(b bus) error {
		if err := refresh(ctx, b, u.Name()); err != nil {
			return err
		}
		return job(ctx, b, "start", u.Name())
	})
}

// Unmount stops what uses the mount at where, unmounts it, waits for all that
// and removes its unit. If nothing is mounted there, only the unit is removed.
func (m *Manager) Unmount(ctx context.Context, where string) error { return m.UnmountWith(ctx, where) }

// UnmountWith does so with a mount and others that are bound to it: they end
// together, and whoever starts meanwhile is stopped no more often than for one.
func (m *Manager) UnmountWith(ctx context.Context, where string, bound ...string) error {
	name := MountName(where)
	if err := m.Stop(ctx, name); err != nil {
		return err
	}
	var removed []string
	for _, w := range append([]string{where}, bound...) {
		switch err := os.Remove(filepath.Join(m.dir, MountName(w))); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("cannot remove the unit: %w", err)
		default:
			removed = append(removed, MountName(w))
		}
	}
	if len(removed) == 0 {
		return nil
	}
	return m.with(ctx, func(b bus) error {
		for _, unit := range removed {
			if err := refresh(ctx, b, unit); err != nil {
				return err
			}
		}
		// What was started in between may have mounted it once more; now that the
		// unit is gone, nothing can.
		return job(ctx, b, "stop", name)
	})
}

// refresh makes the manager read a unit's file anew if what it holds in memory
// is older. It reads a unit that it does not hold by itself, and reading all
// of them anew takes seconds on a small machine at boot.
func refresh(ctx context.Context, b bus, unit string) error {
	state, err := readState(ctx, b, unit)
	if err != nil || !state.Outdated {
		return err
	}
	return reload(ctx, b)
}

// reload makes the manager read all unit files anew.
func reload(ctx context.Context, b bus) error {
	if err := b.ReloadContext(ctx); err != nil {
		return fmt.Errorf("cannot make systemd read its units anew: %w", err)
	}
	return nil
}

// Kill sends SIGKILL to every process of a unit, whatever the unit says about
// how it likes to be stopped. A unit that is not loaded has no processes.
func (m *Manager) Kill(ctx context.Context, unit string) error {
	return m.with(ctx, func(b bus) error {
		err := b.KillUnitWithTarget(ctx, unit, dbus.All, int32(syscall.SIGKILL))
		if err != nil && !isDBus(err, noSuchUnit) && !isDBus(err, noSuchProcess) {
			return fmt.Errorf("cannot kill %s: %w", unit, err)
		}
		return nil
	})
}

// ResetFailed forgets that a unit failed and how often it was restarted.
func (m *Manager) ResetFailed(ctx context.Context, unit string) error {
	return m.with(ctx, func(b bus) error {
		if err := b.ResetFailedUnitContext(ctx, unit); err != nil && !isDBus(err, noSuchUnit) {
			return fmt.Errorf("cannot reset %s: %w", unit, err)
		}
		return nil
	})
}

func (m *Manager) with(ctx context.Context, do func(bus) error) error {
	b, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	return do(b)
}

// write stores a file below the folder of generated units.
func (m *Manager) write(name, content string) error {
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot write the unit: %w", err)
	}
	return atomicfile.Write(path, []byte(content), 0o644)
}
