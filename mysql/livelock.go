package mysql

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bootswain/internal/situation"

	"golang.org/x/sys/unix"
)

// locked are the files that a server locks for as long as it lives: InnoDB its
// system tablespace, Aria its control file. Pid and socket files may be left by
// a dead one and say nothing.
var locked = []string{"ibdata1", "aria_log_control"}

// inUse says whether a living server has the data open: nil, or HELD with the
// process's id and name.
func (f folder) inUse(server, proc string) error {
	for _, name := range locked {
		held, pid, err := f.holder(name)
		if err != nil {
			return fmt.Errorf("cannot see whether a server has the databases open: %w", err)
		}
		if held {
			return inHands(server, process(proc, pid))
		}
	}
	return nil
}

func inHands(server, by string) error {
	return &situation.Situation{
		Word: situation.Held, Subject: server, Text: "the databases are in use by " + by + "; untouched.",
		Next: "end that server; then nothing, goes on by itself",
	}
}

// holder says whether a process has a record lock on a file, and which; not
// which if it is in another namespace.
func (f folder) holder(name string) (held bool, pid int32, err error) {
	file, err := f.open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	defer file.Close()
	// What would be in the way of a lock for writing; none is taken.
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil {
		return false, 0, &fs.PathError{Op: "look at the locks of", Path: name, Err: err}
	}
	return lock.Type != unix.F_UNLCK, lock.Pid, nil
}

func process(proc string, pid int32) string {
	if pid <= 0 {
		return "a process of another container"
	}
	name, err := os.ReadFile(filepath.Join(proc, fmt.Sprint(pid), "comm"))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, printable([]byte(strings.TrimSpace(string(name)))))
}
