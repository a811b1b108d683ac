// Package direct reads block devices past the page cache. What the cache holds
// of a member's device can be older than what md or dm has written to it since,
// so a decision about a device's content must not rest on it.
//
// Where direct reading is impossible (some file systems that tests run on) it
// reads through the cache. It never writes.
//
// A device that does not answer would hold a reader for as long as the kernel is
// patient, which on EBS may be for ever; each read therefore has a limit.
package direct

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Align is the alignment, in bytes, of buffers, offsets and lengths: no disk
// that Linux takes asks for more.
const Align = 4096

// Limit is how long one read may take: far more than the slowest of volumes
// needs, whose blocks are still being fetched from a snapshot.
const Limit = time.Minute

// ErrHung is a device that does not answer.
var ErrHung = fmt.Errorf("it does not answer within %s", Limit)

// ErrMedium is a part of a device that it cannot read back (BLK_STS_MEDIUM of
// linux/blk_types.h).
var ErrMedium = errors.New("medium error")

// File is a device or file opened for direct reading. It is safe for parallel
// use.
type File struct{ f *os.File }

// Open opens a device or file.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, err
	}
	return &File{f}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Buffer returns a buffer of n bytes that begins at a multiple of Align, so
// that ReadAt fills it without copying.
func Buffer(n int) []byte {
	b := make([]byte, n+Align)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & (Align - 1)
	return b[skip : skip+n : skip+n]
}

// ReadAt implements io.ReaderAt for any offset and length. After ErrHung p must
// not be used again: the device may still answer into it.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if aligned(p, off) {
		return f.read(p, off)
	}
	start := off &^ (Align - 1)
	skip := int(off - start)
	buf := Buffer((skip + len(p) + Align - 1) &^ (Align - 1))
	n, err := f.read(buf, start)
	got := copy(p, buf[min(skip, n):n])
	if got == len(p) {
		return got, nil
	}
	return got, err
}

func aligned(p []byte, off int64) bool {
	return uintptr(unsafe.Pointer(&p[0]))%Align == 0 && len(p)%Align == 0 && off%Align == 0
}

// read reads at an aligned place, within the limit.
func (f *File) read(p []byte, off int64) (int, error) {
	type answer struct {
		n   int
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		n, err := f.wait(p, off)
		answered <- answer{n, err}
	}()
	select {
	case a := <-answered:
		if errors.Is(a.err, unix.ENODATA) { // whose own words would say that there is nothing
			a.err = fmt.Errorf("%w (%w)", ErrMedium, a.err)
		}
		return a.n, a.err
	case <-time.After(Limit):
		return 0, ErrHung
	}
}

// wait reads at an aligned place, however long it takes. The kernel says only
// now that it cannot read directly on some file systems; then the cache has to
// do.
func (f *File) wait(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	if !errors.Is(err, unix.EINVAL) {
		return n, err
	}
	if err := f.cached(); err != nil {
		return 0, err
	}
	return f.f.ReadAt(p, off)
}

// cached takes O_DIRECT off the open file.
func (f *File) cached() error {
	conn, err := f.f.SyscallConn()
	if err != nil {
		return err
	}
	var flagErr error
	if err := conn.Control(func(fd uintptr) {
		var flags int
		if flags, flagErr = unix.FcntlInt(fd, unix.F_GETFL, 0); flagErr == nil {
			_, flagErr = unix.FcntlInt(fd, unix.F_SETFL, flags&^unix.O_DIRECT)
		}
	}); err != nil {
		return err
	}
	return flagErr
}
