package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lock is the one writer's lock of this machine, shared by the daemon and by
// the commands of people. The file holds the name of whoever has it. Within
// one process it may be taken several times at once, so that the volumes of a
// daemon do not wait for each other.
type lock struct {
	path string
	who  string

	mu     sync.Mutex
	file   *os.File
	holder int
}

// take returns when this process has the lock. While another process has it,
// waiting is called once with that process's name.
func (l *lock) take(ctx context.Context, waiting func(holder string)) (release func(), err error) {
	told := false
	for {
		ok, err := l.try()
		if err != nil {
			return nil, fmt.Errorf("cannot lock %s: %w", l.path, err)
		}
		if ok {
			return l.release, nil
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

func (l *lock) try() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder > 0 {
		l.holder++
		return true, nil
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		return false, err
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%s (process %d)\n", l.who, os.Getpid())
	}
	l.file, l.holder = f, 1
	return true, nil
}

func (l *lock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder--; l.holder == 0 {
		l.file.Close()
		l.file = nil
	}
}

func (l *lock) heldBy() string {
	b, err := os.ReadFile(l.path)
	if who := strings.TrimSpace(string(b)); err == nil && who != "" {
		return who
	}
	return "another process"
}
