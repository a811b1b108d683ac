package nbd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Disk is one volume: a sparse file, and what has happened to it
// since its last flush. Its methods may be used while it is served.
type Disk struct {
	size int64

	mu      sync.Mutex
	file    *os.File
	cache   cache
	fault   Fault
	frozen  bool
	changed chan struct{} // closed and replaced when fault or frozen change
	stats   Stats
	journal *Journal     // nil: nobody records
	told    func([]byte) // nil: nobody listens
}

// Stats counts the requests that a disk has carried out.
type Stats struct {
	Reads, Writes, Flushes  int64 // requests
	Forced                  int64 // of the writes, how many must be durable by themselves (FUA)
	ReadBytes, WrittenBytes int64
}

// Open opens the disk kept in the file at path, and makes it, all zero and
// taking no space, if it does not exist. An existing file must have this size.
func Open(path string, size int64) (*Disk, error) {
	if size <= 0 || size%blockSize != 0 {
		return nil, fmt.Errorf("cannot make a volume of %d bytes: not a multiple of %d", size, blockSize)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = f.Truncate(size)
	} else if err == nil && info.Size() != size {
		err = fmt.Errorf("%s has %d bytes, not %d", path, info.Size(), size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Disk{size: size, file: f, changed: make(chan struct{})}, nil
}

// Close closes the file. What was not flushed stays written.
func (d *Disk) Close() error { return d.file.Close() }

// Size is the disk's size in bytes.
func (d *Disk) Size() int64 { return d.size }

// Grow makes the disk larger. It must have no client; the next one sees it.
func (d *Disk) Grow(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if size < d.size || size%blockSize != 0 {
		return fmt.Errorf("cannot make a volume of %d bytes one of %d", d.size, size)
	}
	if err := d.file.Truncate(size); err != nil {
		return err
	}
	d.size = size
	return nil
}

// Stats returns the counters.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Hash returns the SHA-256 of the whole content, as hexadecimal digits.
func (d *Disk) Hash() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(d.file, 0, d.size)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// ReadAt and WriteAt are for the test's own hand: they go past faults and
// counters, and what they write counts as flushed.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return io.NewSectionReader(d.file, 0, d.size).ReadAt(p, off)
}

// WriteAt implements io.WriterAt; see ReadAt.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off < 0 || off+int64(len(p)) > d.size {
		return 0, fmt.Errorf("cannot write %d bytes at %d of a volume of %d bytes", len(p), off, d.size)
	}
	return d.file.WriteAt(p, off)
}

// enter waits until the disk's faults let a request of this kind through. It
// returns nil with d.mu held, or an error without.
func (d *Disk) enter(ctx context.Context, kind access) error {
	delayed := false
	d.mu.Lock()
	for {
		f := d.fault
		wait := context.Background()
		stop := func() {}
		switch {
		case d.frozen || f.Hang:
		case f.Delay > 0 && !delayed:
			wait, stop = context.WithTimeout(wait, f.Delay)
			delayed = true
		case f.fails(kind):
			d.mu.Unlock()
			return errInjected
		default:
			return nil
		}
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-wait.Done():
		case <-changed:
		case <-ctx.Done():
			stop()
			return ctx.Err()
		}
		stop()
		d.mu.Lock()
	}
}

// read fills p; a nil result means that the range is known to be all zero.
func (d *Disk) read(ctx context.Context, off, n int64) ([]byte, error) {
	if err := d.enter(ctx, accessRead); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	d.stats.Reads++
	d.stats.ReadBytes += n
	if start, _, err := nextData(d.file, off, off+n); err != nil || start == off+n {
		return nil, err
	}
	p := make([]byte, n)
	_, err := d.file.ReadAt(p, off)
	return p, err
}

// write stores data, or n zeros if data is nil, and remembers how to undo it. A
// write by force (FUA) is answered only when a cut cannot undo it any more.
func (d *Disk) write(ctx context.Context, off, n int64, data []byte, force bool) error {
	if err := d.enter(ctx, accessWrite); err != nil {
		return err
	}
	told, err := d.store(record{off: off, n: n, data: data, force: force})
	if err == nil && told != nil && data != nil {
		told(data)
	}
	return err
}

// store does the writing; it ends with d.mu released.
func (d *Disk) store(r record) (told func([]byte), err error) {
	defer d.mu.Unlock()
	d.stats.Writes++
	d.stats.WrittenBytes += r.n
	if r.force {
		d.stats.Forced++
	}
	if d.journal != nil {
		kept := r
		d.journal.add(event{disk: d, write: &kept})
	}
	if r.old, err = extents(d.file, r.off, r.off+r.n); err != nil {
		return nil, err
	}
	if err := put(d.file, r.off, r.n, r.data); err != nil {
		return nil, err
	}
	d.cache.add(r)
	return d.told, nil
}

// Tell has f called with what a client writes, before the write is answered: a
// guest that shares nothing else with the test can speak to it by such a disk,
// and reads the answer that f writes with WriteAt.
func (d *Disk) Tell(f func(data []byte)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = f
}

// flush makes every write so far survive a cut.
func (d *Disk) flush(ctx context.Context) error {
	if err := d.enter(ctx, accessWrite); err != nil {
		return err
	}
	defer d.mu.Unlock()
	d.stats.Flushes++
	d.cache.clear()
	if d.journal != nil {
		d.journal.add(event{disk: d})
	}
	return nil
}

// extent is a run of bytes at a place.
type extent struct {
	off  int64
	data []byte
}

// nextData returns the first stretch of data in [from, to), or to, to.
func nextData(f *os.File, from, to int64) (start, end int64, err error) {
	start, err = unix.Seek(int(f.Fd()), from, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) || err == nil && start >= to {
		return to, to, nil
	}
	if err != nil {
		return 0, 0, err
	}
	if end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE); err != nil {
		return 0, 0, err
	}
	return start, min(end, to), nil
}

// extents reads what the file holds in [from, to), leaving holes out.
func extents(f *os.File, from, to int64) ([]extent, error) {
	var all []extent
	for from < to {
		start, end, err := nextData(f, from, to)
		if err != nil {
			return nil, err
		}
		if start < end {
			p := make([]byte, end-start)
			if _, err := f.ReadAt(p, start); err != nil {
				return nil, err
			}
			all = append(all, extent{start, p})
		}
		from = end
	}
	return all, nil
}

// put writes data, or punches a hole of n bytes if data is nil.
func put(f *os.File, off, n int64, data []byte) error {
	if data == nil {
		return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	}
	_, err := f.WriteAt(data, off)
	return err
}
