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

// Mount writes the unit of m, starts it and waits until it is mounted. A mount
// that is there already is left as it is. The mount point must exist.
func (m *Manager) Mount(ctx context.Context, u MountUnit) error {
	changed, err := m.write(u.Name(), u.String())
	if err != nil {
		return err
	}
	if u.Required {
		linked, err := m.require(u.Name())
		if err != nil {
			return err
		}
		changed = changed || linked
	}
	if changed {
		if err := m.Reload(ctx); err != nil {
			return err
		}
	}
	return m.Start(ctx, u.Name())
}

// Unmount stops the mount at where, with every service that is bound to it,
// waits for it and removes its unit. If nothing is mounted there, only the unit
// is removed.
func (m *Manager) Unmount(ctx context.Context, where string) error {
	name := MountName(where)
	if err := m.Stop(ctx, name); err != nil {
		return err
	}
	changed, err := m.remove(name, m.requirement(name))
	if err != nil || !changed {
		return err
	}
	if err := m.Reload(ctx); err != nil {
		return err
	}
	// A service that was started in between has mounted it once more; now that
	// the unit is gone, none can.
	return m.Stop(ctx, name)
}

// WriteDropIn adds settings to a unit in /run and reloads the manager if that
// changed anything.
func (m *Manager) WriteDropIn(ctx context.Context, unit, name, content string) error {
	changed, err := m.write(filepath.Join(unit+".d", name+".conf"), content)
	if err != nil || !changed {
		return err
	}
	return m.Reload(ctx)
}

// RemoveDropIn takes back what WriteDropIn wrote.
func (m *Manager) RemoveDropIn(ctx context.Context, unit, name string) error {
	changed, err := m.remove(filepath.Join(unit+".d", name+".conf"))
	if err != nil || !changed {
		return err
	}
	return m.Reload(ctx)
}

// Reload makes the manager read unit files anew.
func (m *Manager) Reload(ctx context.Context) error {
	return m.with(ctx, func(b bus) error {
		if err := b.ReloadContext(ctx); err != nil {
			return fmt.Errorf("cannot make systemd read its units anew: %w", err)
		}
		return nil
	})
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

// write stores a file below the folder of generated units and says whether it
// is any different from what was there.
func (m *Manager) write(name, content string) (changed bool, err error) {
	path := filepath.Join(m.dir, name)
	if old, err := os.ReadFile(path); err == nil && string(old) == content {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, fmt.Errorf("cannot write the unit: %w", err)
	}
	return true, atomicfile.Write(path, []byte(content), 0o644)
}

func (m *Manager) requirement(name string) string {
	return filepath.Join(StorageTarget+".requires", name)
}

// require makes the storage target need a unit. The link is what "systemctl
// add-requires" makes.
func (m *Manager) require(name string) (changed bool, err error) {
	link := filepath.Join(m.dir, m.requirement(name))
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return false, err
	}
	switch err := os.Symlink("../"+name, link); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot add %s to %s: %w", name, StorageTarget, err)
	}
	return true, nil
}

func (m *Manager) remove(names ...string) (changed bool, err error) {
	for _, name := range names {
		switch err := os.Remove(filepath.Join(m.dir, name)); {
		case err == nil:
			changed = true
		case !errors.Is(err, fs.ErrNotExist):
			return changed, fmt.Errorf("cannot remove the unit: %w", err)
		}
	}
	return changed, nil
}
