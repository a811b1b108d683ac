package nbd

import (
	"math/rand/v2"
	"os"
)

// cacheLimit is the size of a disk's volatile cache in bytes. Beyond it the
// oldest writes reach the medium by themselves, as in a real drive.
const cacheLimit = 64 << 20

// record is one write since the last flush.
type record struct {
	off, n int64
	data   []byte   // nil: zeros
	force  bool     // it is durable by itself
	old    []extent // what was there before; zero elsewhere
}

func (r record) bytes() int64 {
	total := int64(len(r.data))
	for _, e := range r.old {
		total += int64(len(e.data))
	}
	return total
}

// cache holds the writes since the last flush, oldest first.
type cache struct {
	records []record
	bytes   int64
}

func (c *cache) add(r record) {
	c.records = append(c.records, r)
	c.bytes += r.bytes()
	for c.bytes > cacheLimit {
		c.bytes -= c.records[0].bytes()
		c.records[0] = record{}
		c.records = c.records[1:]
	}
}

func (c *cache) clear() { *c = cache{} }

// Freeze stops all the disks at one moment: a request that has not been
// carried out by then waits until Thaw. The writes of different disks thereby
// keep the order that the machine could rely on.
func Freeze(disks ...*Disk) {
	for _, d := range disks {
		d.mu.Lock()
	}
	for _, d := range disks {
		d.frozen = true
		d.notify()
		d.mu.Unlock()
	}
}

// Thaw lets requests through again.
func Thaw(disks ...*Disk) {
	for _, d := range disks {
		d.mu.Lock()
		d.frozen = false
		d.notify()
		d.mu.Unlock()
	}
}

// Loss tells what a power cut did to a disk.
type Loss struct {
	Unflushed int // writes since the last flush
	Dropped   int // of these, how many are gone
	Torn      int // of these, how many are there in part
}

// Settle forgets how to undo anything: what is written stays.
func (d *Disk) Settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cache.clear()
}

// PowerLoss leaves the disk as a drive whose volatile cache lost its power
// would: what was flushed is there, and of the later writes those that rng
// chooses, some of them torn between two sectors. The disk must be frozen, or
// not in use.
func (d *Disk) PowerLoss(rng *rand.Rand) (Loss, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	records := d.cache.records
	d.cache.clear()
	for i := len(records) - 1; i >= 0; i-- {
		if err := d.undo(records[i]); err != nil {
			return Loss{}, err
		}
	}
	fate := fates(rng, records)
	for i, r := range records {
		if err := r.apply(d.file, fate[i]); err != nil {
			return Loss{}, err
		}
	}
	return lost(records, fate), nil
}

// apply carries out the first n bytes of a write.
func (r record) apply(f *os.File, n int64) error {
	if n == 0 {
		return nil
	}
	data := r.data
	if data != nil {
		data = data[:n]
	}
	return put(f, r.off, n, data)
}

// lost counts what became of writes.
func lost(records []record, fate []int64) Loss {
	loss := Loss{Unflushed: len(records)}
	for i, r := range records {
		switch {
		case fate[i] == 0:
			loss.Dropped++
		case fate[i] < r.n:
			loss.Torn++
		}
	}
	return loss
}

func (d *Disk) undo(r record) error {
	if err := put(d.file, r.off, r.n, nil); err != nil {
		return err
	}
	for _, e := range r.old {
		if err := put(d.file, e.off, int64(len(e.data)), e.data); err != nil {
			return err
		}
	}
	return nil
}

// fates says of each write how many of its first bytes survive. Some losses
// come in order, as if the cache drained oldest first, and some in none.
func fates(rng *rand.Rand, records []record) []int64 {
	keep := make([]int64, len(records))
	inOrder := rng.IntN(2) == 0
	chance := rng.Float64()
	prefix := rng.IntN(len(records) + 1)
	for i, r := range records {
		kept := i < prefix
		if !inOrder {
			kept = rng.Float64() < chance
		}
		torn := rng.IntN(8) == 0
		cut := rng.Int64N(r.n/blockSize+1) * blockSize
		switch {
		case r.force:
			keep[i] = r.n
		case kept && torn && !inOrder || inOrder && i == prefix:
			keep[i] = cut
		case kept:
			keep[i] = r.n
		}
	}
	return keep
}
