package fakehost

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

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
		for i := range b {
			b[i] ^= pad
		}
		_, err := dst.WriteAt(b, toAt+begin-fromAt)
		return err
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
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= end {
			return nil
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
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

// punch makes a hole.
func punch(path string, at, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, size)
}

// put writes bytes at a place.
func put(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, at)
	return err
}

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
