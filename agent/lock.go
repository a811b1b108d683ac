package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lock is a lock that processes share: there is one writer of each volume, the
// daemon or a person's command, and one of the people. The file holds the name of
// whoever has it.
type lock struct {
	path string
	who  string
}

// volumeLock is the lock of one volume. Each has its own, so that one whose
// device does not answer holds up no other.
func (a *Agent) volumeLock(name string) *lock {
	return &lock{path: filepath.Join(lockDir, name), who: a.who}
}

// ec2Lock is the lock of asking EC2 to attach or detach a volume. It is another
// than the volume's, for EC2 may take long to answer.
func (a *Agent) ec2Lock(name string) *lock {
	return &lock{path: filepath.Join(lockDir, name+".ec2"), who: a.who} // no volume can have this name
}

// take returns when the lock is taken. While another has it, waiting, which may
// be nil, is called once with its name.
func (l *lock) take(ctx context.Context, waiting func(holder string)) (release func(), err error) {
	told := false
	for {
		f, err := l.try()
		if err != nil {
			return nil, fmt.Errorf("cannot lock %s: %w", l.path, err)
		}
		if f != nil {
			return func() { f.Close() }, nil
		}
		if !told && waiting != nil {
			waiting(l.heldBy())
			told = true
		}
		// flock(2) can wait, but then no context ends it.
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot begin: %s holds %s", l.heldBy(), l.path)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// try returns the locked file, or nil while another has the lock.
func (l *lock) try() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = nil
		}
		return nil, err
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%s (process %d)\n", l.who, os.Getpid())
	}
	return f, nil
}

func (l *lock) heldBy() string {
	b, err := os.ReadFile(l.path)
	if who := strings.TrimSpace(string(b)); err == nil && who != "" {
		return who
	}
	return "another process"
}
