package latency

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bootswain/internal/atomicfile"
)

const (
	// Path is where what was learnt is kept over restarts.
	Path = "/var/lib/bootswain/latency.json"

	storeFormat = 1
	maxStore    = 8 << 20
	maxDisks    = 64
	maxCount    = 1e9 // latencies in a bucket: more were never counted
	goneAfter   = 90 * 24 * time.Hour
)

// stored is the file: what was learnt of disks, by their ids.
type stored struct {
	Format int                   `json:"format"` // 1
	Disks  map[string]storedDisk `json:"disks"`
}

type storedDisk struct {
	First     time.Time    `json:"first"` // seen at work
	Last      time.Time    `json:"last"`  // kept
	MostRate  float64      `json:"most_rate"`
	MostBytes float64      `json:"most_bytes"`
	Usual     [2]float64   `json:"usual"` // share of stalls, of reads and of writes
	Loads     []storedLoad `json:"loads"`
}

// storedLoad is a kind of load with its counts, from the bucket From on.
type storedLoad struct {
	Write  bool      `json:"write,omitempty"`
	Size   uint8     `json:"size"`
	Rate   uint8     `json:"rate"`
	Bytes  uint8     `json:"bytes"`
	From   int       `json:"from"`
	Counts []float32 `json:"counts"`
}

// Trackers are the disks of a machine by their ids: "vol-0a1b…", or the serial
// of instance storage.
type Trackers map[string]*Tracker

// Save keeps at path what was learnt. Disks that are not attached are kept for
// 90 days by what an earlier file says of them.
func (t Trackers) Save(path string, now time.Time) error {
	before, unread := readStore(path) // where it cannot be read, nothing in it helps
	for id, d := range before.Disks {
		if now.Sub(d.Last).Abs() > goneAfter {
			delete(before.Disks, id)
		}
	}
	for id, tracker := range t {
		if tracker.first.IsZero() {
			continue
		}
		before.Disks[id] = tracker.stored(now)
	}
	if len(before.Disks) == 0 && errors.Is(unread, fs.ErrNotExist) {
		return nil // a machine without disks of ours, such as one that becomes an image
	}
	before.bound()
	data, err := json.Marshal(before)
	if err != nil {
		return fmt.Errorf("cannot keep what was learnt of disks: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot keep what was learnt of disks: %w", err)
	}
	return atomicfile.Write(path, data, 0o600)
}

// bound forgets the disks that were seen longest ago, where there are too many.
func (s stored) bound() {
	for len(s.Disks) > maxDisks {
		oldest := ""
		for id, d := range s.Disks {
			if oldest == "" || d.Last.Before(s.Disks[oldest].Last) {
				oldest = id
			}
		}
		delete(s.Disks, oldest)
	}
}

// Load reads what was learnt. Where a file has faults, the error says so and
// what is right in it is there; there may be none: fs.ErrNotExist.
func Load(path string) (Trackers, error) {
	s, err := readStore(path)
	t := Trackers{}
	for id, d := range s.Disks {
		t[id] = d.tracker()
	}
	return t, err
}

func readStore(path string) (stored, error) {
	s, empty := stored{}, stored{Format: storeFormat, Disks: map[string]storedDisk{}}
	f, err := os.Open(path)
	if err != nil {
		return empty, fmt.Errorf("cannot read what was learnt of disks: %w", err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxStore)).Decode(&s); err != nil {
		return empty, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if s.Format != storeFormat {
		return empty, fmt.Errorf("cannot read %s: format %d, expected %d", path, s.Format, storeFormat)
	}
	if s.Disks == nil {
		s.Disks = map[string]storedDisk{}
	}
	s.bound()
	return s, nil
}

func (t *Tracker) stored(now time.Time) storedDisk {
	d := storedDisk{
		First: t.first, Last: now, MostRate: t.mostRate, MostBytes: t.mostBytes,
		Usual: [2]float64{t.sides[0].change.usual, t.sides[1].change.usual},
	}
	for l, at := range t.base.loads {
		from := slices.IndexFunc(at.counts[:], func(n float32) bool { return n > 0 })
		if from < 0 {
			continue
		}
		to := buckets
		for at.counts[to-1] == 0 {
			to--
		}
		counts := slices.Clone(at.counts[from:to])
		for i, n := range counts {
			counts[i] = float32(math.Round(float64(n)*10) / 10)
		}
		d.Loads = append(d.Loads, storedLoad{l.write, l.size, l.rate, l.bytes, from, counts})
	}
	slices.SortFunc(d.Loads, func(a, b storedLoad) int { return strings.Compare(a.key(), b.key()) })
	return d
}

func (l storedLoad) key() string { return fmt.Sprint(l.Write, l.Size, l.Rate, l.Bytes) }

// tracker is the disk again. What cannot have been learnt is left out.
func (d storedDisk) tracker() *Tracker {
	t := NewTracker()
	t.first = d.First
	if sane(d.MostRate) && sane(d.MostBytes) {
		t.mostRate, t.mostBytes = d.MostRate, d.MostBytes
	}
	for i, usual := range d.Usual {
		if usual >= 0 && usual <= 1 {
			t.sides[i].change.usual = usual
		}
	}
	for _, l := range d.Loads {
		if len(t.base.loads) == maxLoads {
			break
		}
		if l.Size > maxSize || l.Rate > maxRate || l.Bytes > maxBytes || l.From < 0 || l.From > buckets || l.From+len(l.Counts) > buckets ||
			slices.ContainsFunc(l.Counts, func(n float32) bool { return !(n >= 0 && n < maxCount) }) {
			continue
		}
		at := &learnt{}
		copy(at.counts[l.From:], l.Counts)
		at.fade(1)
		at.take()
		t.base.loads[load{l.Write, l.Size, l.Rate, l.Bytes}] = at
	}
	return t
}

func sane(x float64) bool { return x >= 0 && x < 1e15 }
