package latency

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// steady is a disk that always does the same.
func steady(t *Tracker, from time.Time, long time.Duration, write time.Duration, limit Limit) time.Time {
	now := from
	for ; now.Sub(from) < long; now = now.Add(Interval) {
		t.Observe(now, Sample{
			Took: Interval, Limit: limit, Busy: time.Second, Queued: 600 * write,
			Write: Side{Ops: 600, Bytes: 600 * 16384, Wait: 600 * write},
		})
	}
	return now
}

func TestSentence(t *testing.T) {
	const usual = 640 * time.Microsecond
	for _, c := range []struct {
		limit      Limit
		text, next string
	}{
		{None, "vol-0a22 write p50 9 ms, 14× baseline at like load, 6m; not an EBS limit.", sick},
		{VolumeIOPS, "vol-0a22 write p50 9 ms, 14× baseline, 6m; an EBS limit: volume IOPS used up.", more[VolumeIOPS]},
		{NotKnown, "vol-0a22 write p50 9 ms, 14× baseline at like load, 6m; whether an EBS limit is not known.", sick},
	} {
		tr := NewTracker()
		now := steady(tr, epoch, 24*time.Hour, usual, c.limit.usually())
		if s := tr.Sentence("data", "vol-0a22", [2]time.Duration{}, now); s != nil {
			t.Fatalf("a healthy disk: %s", s)
		}
		now = steady(tr, now, 6*time.Minute, 9490*time.Microsecond, c.limit)
		s := tr.Sentence("data", "vol-0a22", [2]time.Duration{}, now)
		if s == nil || s.Error() != "DEGRADED data: "+c.text || s.Next != c.next {
			t.Errorf("limit %q: %v", c.limit, s)
		}
		now = steady(tr, now, 4*time.Minute, usual, c.limit.usually())
		if s := tr.Sentence("data", "vol-0a22", [2]time.Duration{}, now); s != nil {
			t.Errorf("well again: %s", s)
		}
	}
}

// usually is what EBS says of limits while all is well.
func (l Limit) usually() Limit {
	if l == NotKnown {
		return l
	}
	return None
}

func TestLearning(t *testing.T) {
	t.Run("not judged at first", func(t *testing.T) {
		tr := NewTracker()
		now := steady(tr, epoch, 5*time.Hour, time.Millisecond, None)
		now = steady(tr, now, 10*time.Minute, 9*time.Millisecond, None)
		if s := tr.Sentence("data", "vol-1", [2]time.Duration{}, now); s != nil || !tr.Disk().Learning {
			t.Errorf("judged after five hours: %v", s)
		}
	})
	t.Run("a week is how it is", func(t *testing.T) {
		tr := NewTracker()
		now := steady(tr, epoch, 24*time.Hour, time.Millisecond, None)
		now = steady(tr, now, 6*24*time.Hour, 9*time.Millisecond, None)
		if tr.Sentence("data", "vol-1", [2]time.Duration{}, now) == nil {
			t.Error("accepted before a week was over")
		}
		now = steady(tr, now, 2*24*time.Hour, 9*time.Millisecond, None)
		if s := tr.Sentence("data", "vol-1", [2]time.Duration{}, now); s != nil || math.Abs(tr.Disk().Write.Baseline-0.009) > 0.001 {
			t.Errorf("after eight days: %v, baseline %v", s, tr.Disk().Write.Baseline)
		}
	})
	t.Run("none ends", func(t *testing.T) {
		tr := NewTracker()
		now := steady(tr, epoch, 24*time.Hour, time.Millisecond, None)
		for range 12 {
			now = now.Add(Interval)
			tr.Observe(now, Sample{Took: Interval, Write: Side{Stuck: true}})
		}
		if s := tr.Sentence("data", "vol-1", [2]time.Duration{}, now); s == nil || !strings.Contains(s.Text, "write p50 10.0 s") {
			t.Errorf("a disk on which nothing ends: %v", s)
		}
	})
	t.Run("more than ever", func(t *testing.T) {
		tr := NewTracker()
		now := steady(tr, epoch, 24*time.Hour, time.Millisecond, None)
		for range 60 {
			now = now.Add(Interval)
			tr.Observe(now, Sample{Took: Interval, Write: Side{Ops: 20000, Bytes: 20000 * 131072, Wait: 20000 * 9 * time.Millisecond}})
		}
		if s := tr.Sentence("data", "vol-1", [2]time.Duration{}, now); s != nil {
			t.Errorf("a load that was never seen is judged: %s", s)
		}
	})
	t.Run("many kinds of load", func(t *testing.T) {
		tr := NewTracker()
		now := epoch
		for i := range 40_000 {
			now = now.Add(Interval)
			ops := int64(16) << (i % 15)
			tr.Observe(now, Sample{Took: Interval, Read: Side{Ops: ops, Bytes: ops << (10 + i%11), Wait: time.Duration(ops) * time.Millisecond}})
		}
		if n := len(tr.base.loads); n > maxLoads {
			t.Errorf("%d kinds of load are kept", n)
		}
	})
}

func TestStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bootswain/latency.json")
	if err := (Trackers{"vol-new": NewTracker()}).Save(path, epoch); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("none yet: %v", err)
	}
	tr := NewTracker()
	now := steady(tr, epoch, 24*time.Hour, time.Millisecond, None)
	if err := (Trackers{"vol-1": tr, "vol-new": NewTracker()}).Save(path, now); err != nil {
		t.Fatal(err)
	}
	all, err := Load(path)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d disks, error %v", len(all), err)
	}
	again := all["vol-1"]
	now = steady(again, now, 3*time.Minute, 3*time.Millisecond, None)
	if again.Sentence("data", "vol-1", [2]time.Duration{}, now) == nil {
		t.Error("what was learnt is lost over a restart")
	}
	// A disk that is not attached now is remembered, but not for ever.
	if err := (Trackers{}).Save(path, now.Add(80*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if all, _ := Load(path); len(all) != 1 {
		t.Error("a detached disk is forgotten")
	}
	if err := (Trackers{}).Save(path, now.Add(100*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if all, _ := Load(path); len(all) != 0 {
		t.Error("a disk that is long gone is kept")
	}
	for text, want := range map[string]string{
		"{":              "unexpected EOF",
		`{"format": 2}`:  "format 2, expected 1",
		`{"format":"1"}`: "cannot unmarshal string",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestStoreBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latency.json")
	full := Trackers{}
	for i := range maxDisks + 6 {
		d := newSimulated(uint64(i), shapes[1])
		tr := NewTracker()
		live(tr, d, epoch, time.Hour)
		full[fmt.Sprint("vol-", i)] = tr
	}
	if err := full.Save(path, epoch); err != nil {
		t.Fatal(err)
	}
	if all, err := Load(path); err != nil || len(all) != maxDisks {
		t.Errorf("%d disks are kept, error %v", len(all), err)
	}
}

func FuzzStore(f *testing.F) {
	tr := NewTracker()
	steady(tr, epoch, time.Hour, time.Millisecond, None)
	path := filepath.Join(f.TempDir(), "seed")
	if err := (Trackers{"vol-1": tr}).Save(path, epoch); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"format":1,"disks":{"x":{"loads":[{"size":9,"from":83,"counts":[1,1]},{"from":9223372036854775807,"counts":[1]}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "latency.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		all, _ := Load(path)
		for _, tr := range all {
			now := steady(tr, epoch, 10*time.Minute, time.Millisecond, None)
			_ = tr.Sentence("data", "vol-1", [2]time.Duration{}, now)
			if b := tr.Disk().Write.Baseline; b < 0 || math.IsNaN(b) || math.IsInf(b, 0) {
				t.Errorf("baseline %v", b)
			}
		}
		if err := all.Save(path, epoch); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCounters(t *testing.T) {
	sys := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(sys, "block/nvme1n1", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("stat", "100 1 800 50 200 2 3200 400 3 450 460 0 0 0 0 7 8\n")
	put("inflight", "0 3\n")
	a, err := ReadCounters(sys, "nvme1n1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	a.Exceeded = &Exceeded{VolumeIOPS: 5, InstanceThroughput: 1}
	put("stat", "200 1 1600 150 200 2 3200 400 3 950 1460 0 0 0 0 7 8\n")
	b, err := ReadCounters(sys, "nvme1n1", epoch.Add(Interval))
	if err != nil {
		t.Fatal(err)
	}
	b.Exceeded = &Exceeded{VolumeIOPS: 5.1, InstanceThroughput: 4}
	want := Sample{
		Took: Interval, Read: Side{Ops: 100, Bytes: 409600, Wait: 100 * time.Millisecond}, Write: Side{Stuck: true},
		Busy: 500 * time.Millisecond, Queued: time.Second, Limit: InstanceThroughput,
	}
	if s, ok := b.Since(a); !ok || s != want {
		t.Errorf("%+v, %v", s, ok)
	}
	flushed := b
	flushed.Time, flushed.Read.Ops, flushed.Read.Wait = b.Time.Add(Interval), b.Read.Ops+50, b.Read.Wait+time.Second
	if s, ok := flushed.Since(b); !ok || s.Read != (Side{}) {
		t.Errorf("flushes that are counted as reads: %+v, %v", s, ok)
	}
	if _, ok := a.Since(b); ok {
		t.Error("counters of another disk are believed")
	}
	if _, ok := b.Since(Counters{}); ok {
		t.Error("an interval without a beginning is believed")
	}
	b.Exceeded = nil
	if s, _ := b.Since(a); s.Limit != NotKnown {
		t.Errorf("without EBS's statistics the limit is %q", s.Limit)
	}
	put("inflight", "x")
	if _, err := ReadCounters(sys, "nvme1n1", epoch); err == nil || !strings.Contains(err.Error(), "cannot read what nvme1n1 has under way") {
		t.Errorf("error %v", err)
	}
	put("stat", "1 2 3")
	if _, err := ReadCounters(sys, "nvme1n1", epoch); err == nil || !strings.Contains(err.Error(), "3 numbers, expected 11") {
		t.Errorf("error %v", err)
	}
	if _, err := ReadCounters(sys, "nvme2n1", epoch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
