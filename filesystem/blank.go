package filesystem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"bootswain/internal/direct"
)

// span is how much FirstData reads at once: enough for the kernel to keep
// sixteen of EBS's 256 KiB requests under way.
const span = 4 << 20

var zeros [64 << 10]byte

// FirstData reads a device of the given size from beginning to end, past the
// page cache, and returns the offset of the first byte that is not zero, or -1
// if all are. A byte that cannot be read, and a device that ends before its
// size, are errors. progress, which may be nil, is called after each 4 MiB.
func FirstData(ctx context.Context, path string, size int64, progress func(done, total int64)) (int64, error) {
	if size <= 0 {
		return 0, fmt.Errorf("cannot read all of %s: its size is %d bytes", path, size)
	}
	f, err := direct.Open(path)
	if err != nil {
		return 0, fmt.Errorf("cannot read all of %s: %w", path, err)
	}
	defer f.Close()
	buf := direct.Buffer(span)
	for done := int64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("cannot read all of %s: stopped at byte %d of %d: %w", path, done, size, err)
		}
		n, err := readSpan(f, buf, done, size)
		if err != nil {
			return 0, fmt.Errorf("cannot read all of %s: %w", path, err)
		}
		if i := firstNonZero(buf[:n]); i >= 0 {
			return done + int64(i), nil
		}
		done += int64(n)
		if progress != nil {
			progress(done, size)
		}
	}
	return -1, nil
}

// DataAt tells whether the byte at an offset of a device is not zero.
func DataAt(path string, offset int64) (bool, error) {
	f, err := direct.Open(path)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", path, err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], offset); err != nil {
		return false, fmt.Errorf("cannot read %s at byte %d: %w", path, offset, err)
	}
	return b[0] != 0, nil
}

// readSpan fills buf from offset, up to the size of the device.
func readSpan(r io.ReaderAt, buf []byte, offset, size int64) (int, error) {
	want := int(min(int64(len(buf)), size-offset))
	n, err := r.ReadAt(buf, offset) // a whole buffer even at the end: direct reads come in whole blocks
	if n >= want {
		return want, nil
	}
	if errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("it ends at byte %d, before its size of %d", offset+int64(n), size)
	}
	return 0, fmt.Errorf("byte %d and on: %w", offset+int64(n), err)
}

// firstNonZero returns the index of the first byte that is not zero, or -1.
func firstNonZero(b []byte) int {
	for start := 0; start < len(b); start += len(zeros) {
		part := b[start:min(start+len(zeros), len(b))]
		if bytes.Equal(part, zeros[:len(part)]) { // compared in wide words
			continue
		}
		for i, c := range part {
			if c != 0 {
				return start + i
			}
		}
	}
	return -1
}
