package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"bootswain/internal/atomicfile"
)

// storageFlag is what bootswain-storage.target asserts: it is there while every
// required volume is mounted.
const storageFlag = "/run/bootswain/storage"

// StorageReady lets bootswain-storage.target start, and asks for its start
// without waiting: the target is ordered after the daemon that calls this.
func (m *Manager) StorageReady(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(m.flag), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(m.flag, []byte("every required volume is mounted\n"), 0o644); err != nil {
		return err
	}
	return m.Enqueue(ctx, StorageTarget)
}

// StorageLost takes StorageReady back: the target ends, and does not start
// again before the next StorageReady.
func (m *Manager) StorageLost(ctx context.Context) error {
	if err := os.Remove(m.flag); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot withdraw %s: %w", StorageTarget, err)
	}
	return m.Stop(ctx, StorageTarget)
}

// Listening is where the socket of a service listens, and what the service is
// given.
type Listening struct {
	Socket, Service string // units
	Address         string // host:port; "" means as the unit has it
	// Credential is the file that the service finds under its name in
	// $CREDENTIALS_DIRECTORY; without it there it does not start. "" means none.
	Credential string
}

// Listen makes a socket unit listen, and its service start, as l says. The service
// ends before either changes, because systemd opens no socket of a service that
// runs and gives it nothing new; the next connection starts it again. With what
// is so already nothing happens.
func (m *Manager) Listen(ctx context.Context, l Listening) error {
	_, serviceRead, err := m.dropIn(ctx, l.Service, "50-web.conf", credentialDropIn(l.Credential))
	if err != nil {
		return err
	}
	socket, socketRead, err := m.dropIn(ctx, l.Socket, "50-listen.conf", listenDropIn(l.Address))
	if err != nil || serviceRead && socketRead && socket.Running() {
		return err
	}
	for _, unit := range []string{l.Socket, l.Service} {
		if err := m.Stop(ctx, unit); err != nil {
			return err
		}
	}
	// Of a socket that listens systemd would only say that it changed. Unless it has
	// read both, the socket stays closed: the service could start without its credential.
	if err := m.with(ctx, func(b bus) error { return reload(ctx, b) }); err != nil {
		return err
	}
	return m.Start(ctx, l.Socket)
}

// dropIn writes a drop-in of a unit, or removes it if there is nothing to say, and
// says whether the manager has read the unit as it is now. That is not asked of
// the manager alone: it does not notice the first drop-in of a unit until it has
// looked into its folders anew (seen with systemd 252).
func (m *Manager) dropIn(ctx context.Context, unit, name, content string) (state State, read bool, err error) {
	file := filepath.Join(unit+".d", name)
	path := filepath.Join(m.dir, file)
	if content != "" {
		err = m.write(file, content)
	} else if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return State{}, false, fmt.Errorf("cannot say it to %s: %w", unit, err)
	}
	state, err = m.State(ctx, unit)
	return state, !state.Outdated && slices.Contains(state.DropIns, path) == (content != ""), err
}
