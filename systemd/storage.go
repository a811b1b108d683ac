package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

// MoveSocket makes a socket unit listen on another address. The service behind
// it ends first, because systemd opens no socket of a service that runs; the
// next connection starts it again. With the same address nothing happens.
func (m *Manager) MoveSocket(ctx context.Context, socket, service, address string) error {
	if err := m.write(filepath.Join(socket+".d", "50-listen.conf"), listenDropIn(address)); err != nil {
		return err
	}
	state, err := m.State(ctx, socket)
	if err != nil || !state.Outdated {
		return err
	}
	for _, unit := range []string{socket, service} {
		if err := m.Stop(ctx, unit); err != nil {
			return err
		}
	}
	err = m.with(ctx, func(b bus) error { return reload(ctx, b) }) // of a socket that listens systemd would only say that it changed
	return errors.Join(err, m.Start(ctx, socket))
}
