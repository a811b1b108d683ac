// Package unix stands in for golang.org/x/sys/unix in the one file that opens
// devices by it, as package os beside it does for its own.
package unix

import (
	"errors"
	"syscall"

	"bootswain/internal/fakehost/memory/os"
)

// As in package unix.
const (
	O_RDONLY  = syscall.O_RDONLY
	O_EXCL    = syscall.O_EXCL
	O_DIRECT  = syscall.O_DIRECT
	O_CLOEXEC = syscall.O_CLOEXEC

	EBUSY = syscall.EBUSY
)

// Open is as in package unix, and its descriptor is none.
func Open(name string, flag int, _ uint32) (int, error) {
	_, err := os.OpenFile(name, flag, 0)
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return -1, errno
	}
	return -1, err
}

// Close does nothing.
func Close(int) error { return nil }
