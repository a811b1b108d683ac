package systemd

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// bus is what the Manager needs of a connection to systemd; *dbus.Conn is one.
type bus interface {
	StartUnitContext(ctx context.Context, name, mode string, done chan<- string) (int, error)
	StopUnitContext(ctx context.Context, name, mode string, done chan<- string) (int, error)
	ReloadOrTryRestartUnitContext(ctx context.Context, name, mode string, done chan<- string) (int, error)
	KillUnitWithTarget(ctx context.Context, name string, target dbus.Who, signal int32) error
	ResetFailedUnitContext(ctx context.Context, name string) error
	ReloadContext(ctx context.Context) error
	ListUnitsFilteredContext(ctx context.Context, states []string) ([]dbus.UnitStatus, error)
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	Close()
}

// private connects to the manager's own socket. Each operation has a
// connection of its own, so that one does not outlive a re-executed manager.
func private(ctx context.Context) (bus, error) {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot reach systemd: %w", err)
	}
	return conn, nil
}

// ErrShuttingDown means that systemd refused a job because the machine goes
// down: the jobs of a shutdown cannot be replaced.
var ErrShuttingDown = errors.New("the machine is shutting down")

// The names of the errors that are told apart, from systemd's
// bus-common-errors.h.
const (
	noSuchUnit  = "org.freedesktop.systemd1.NoSuchUnit"
	destructive = "org.freedesktop.systemd1.TransactionIsDestructive"
	// Killing a unit without processes.
	noSuchProcess = "org.freedesktop.systemd1.NoSuchProcess"
)

func isDBus(err error, name string) bool {
	e, ok := errors.AsType[godbus.Error](err)
	return ok && e.Name == name
}
