package fakehost

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const pageSize = 4096

// zeros is what programs write over what must not be found again.
var zeros [1 << 20]byte

// copyData copies a range from one file to another, leaving holes out, and
// changes each byte by an exclusive or with pad.
func copyData(to string, toAt int64, from string, fromAt, size int64, pad byte) error {
	dst, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer dst.Close()
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	return extents(src, fromAt, fromAt+size, func(begin, end int64) error {
		b := make([]byte, end-begin)
		if _, err := src.ReadAt(b, begin); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if pad != 0 {
			pads := bytes.Repeat([]byte{pad}, pageSize)
			for page := range slices.Chunk(b, pageSize) {
				subtle.XORBytes(page, page, pads)
			}
		}
		_, err := dst.WriteAt(b, toAt+begin-fromAt)
		return errors.Join(err, dst.Sync())
	})
}

// Extents calls do for each range of a disk's file that is not a hole.
func Extents(f *os.File, do func(begin, end int64) error) error {
	return extents(f, 0, 1<<62, do)
}

// extents calls f for each range of a file between begin and end that is not a
// hole.
func extents(f *os.File, begin, end int64, do func(begin, end int64) error) error {
	for at := begin; at < end; {
		data, err := f.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= end {
			return nil
		}
		if err != nil {
			return err
		}
		hole, err := f.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		hole = min(hole, end)
		if err := do(data, hole); err != nil {
			return err
		}
		at = hole
	}
	return nil
}

// put writes bytes at a place, and makes sure that they are there, as programs
// do that know what they write.
func put(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Sync()
}

// write writes bytes at a place, and leaves it at that.
func write(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, at)
	return err
}

// unsynced tells whether a power cut could lose something of a file. A real file
// tells nobody, and loses nothing.
func unsynced(string) bool { return false }

// version changes with the content of a file. What a real file holds may have
// changed at any time.
func version(string) uint64 { return versions.Add(1) }

var versions atomic.Uint64

// unreadable returns what is found in place of a file that cannot be read: a
// directory answers every reading with an error.
func unreadable(_, dir string) string { return dir }

// readable is the reverse.
func readable(file string) string { return file }

// lose makes a file what a power cut leaves of it: of what was not synced that
// survives that keep says.
func lose(string, func() bool) {}

// flushing has f called before the machine with this root flushes what it wrote
// to a device itself. A real file tells nobody.
func flushing(string, func() error) {}

// get reads bytes at a place; behind the end there are zeros.
func get(path string, at int64, n int) []byte {
	b := make([]byte, n)
	f, err := os.Open(path)
	if err != nil {
		return b
	}
	defer f.Close()
	_, _ = f.ReadAt(b, at)
	return b
}
