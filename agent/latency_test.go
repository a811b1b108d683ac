package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/ebs"
	"bootswain/health"
	"bootswain/health/latency"
)

// TestLatency: a disk works for hours, becomes slow, and is well again, as the
// kernel's statistics and EBS's log page tell it.
func TestLatency(t *testing.T) {
	sys, out := t.TempDir(), new(bytes.Buffer)
	dir := filepath.Join(sys, "block/nvme1n1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "inflight"), []byte("0 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	page := make([]byte, 4096)
	binary.LittleEndian.PutUint32(page, 0x3C23B510)
	l := &latencies{
		Agent: &Agent{out: out}, trackers: latency.Trackers{}, before: map[string]latency.Counters{},
		devices: ebs.Host{Sys: sys, LogPage: func(string) ([]byte, error) {
			page[2056+24]++
			return page, nil
		}},
		asking: map[string]chan answered{}, said: map[string][]ebs.Performance{}, mute: map[string]bool{}, degraded: map[string]bool{},
	}
	// A histogram of writes with a bar from 8 to 16 ms that grows by one each time
	// somebody asks.
	binary.LittleEndian.PutUint64(page[2056:], 1)
	binary.LittleEndian.PutUint64(page[2056+8:], 8000)
	binary.LittleEndian.PutUint64(page[2056+16:], 16000)
	now, writes, ticks := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), 0, 0
	var seen latencySeen
	work := func(long time.Duration, each int) {
		t.Helper()
		for end := now.Add(long); now.Before(end); now = now.Add(latency.Interval) {
			writes, ticks = writes+600, ticks+600*each
			stat := fmt.Sprintf("0 0 0 0 %d 0 %d %d 0 100 %d 0 0 0 0 0 0\n", writes, 32*writes, ticks, ticks)
			if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644); err != nil {
				t.Fatal(err)
			}
			seen = l.look([]disk{{"data", "vol-0a22", "nvme1n1", "/dev/nvme1n1"}, {"gone", "vol-0a33", "nvme2n1", "/dev/nvme2n1"}}, now)
		}
	}
	expect := func(status health.Status, text string) {
		t.Helper()
		if len(seen.checks) != 1 || seen.checks[0].Name != "latency:data" || seen.checks[0].Status != status || !strings.Contains(seen.checks[0].Sentence.Text, text) {
			t.Errorf("checks are %+v, want %s, %q", seen.checks, status, text)
		}
	}
	work(7*time.Hour, 1)
	expect(health.Pass, "its disks take as long as usual.")
	work(5*time.Minute, 9)
	expect(health.Warn, "vol-0a22 write p50 9 ms (12 ms in EBS), 9× baseline at like load, 5m; not an EBS limit.")
	var names []string
	for _, f := range seen.families() {
		names = append(names, f.Name)
		if f.Name == "bootswain_disk_degraded" && f.Samples[0].Value != 1 {
			t.Errorf("the disk is not shown as degraded: %+v", f)
		}
	}
	if got, want := strings.Join(names, " "), "bootswain_disk_latency_seconds bootswain_disk_latency_baseline_seconds bootswain_disk_degraded bootswain_disk_ebs_exceeded_seconds_total"; got != want {
		t.Errorf("measurements are %s", got)
	}
	if s := seen.series(); len(s) != 1 || s[0].Title != "vol-0a22 of data: write latency" || len(s[0].Values) != len(s[0].Baseline) || s[0].Values[len(s[0].Values)-1] <= 0.001 {
		t.Errorf("the page shows %+v", s)
	}
	work(5*time.Minute, 1)
	expect(health.Pass, "its disks take as long as usual.")
	if said := out.String(); strings.Count(said, "\n") != 2 || !strings.HasPrefix(said, "DEGRADED data: vol-0a22 write") || !strings.Contains(said, "READY data:") {
		t.Errorf("the journal has %q", said)
	}
}

// TestLatencyWithoutAnswer: a controller that says nothing holds nobody up, and
// is asked once.
func TestLatencyWithoutAnswer(t *testing.T) {
	never := make(chan struct{})
	asked := make(chan struct{}, 9)
	l := &latencies{
		devices: ebs.Host{LogPage: func(string) ([]byte, error) { asked <- struct{}{}; <-never; return nil, os.ErrClosed }},
		asking:  map[string]chan answered{}, mute: map[string]bool{},
	}
	d := disk{"data", "vol-1", "nvme1n1", "/dev/nvme1n1"}
	for range 2 {
		if e := l.exceeded(d); e != nil {
			t.Errorf("an answer %+v", e)
		}
	}
	close(never)
	for l.asking[d.id] != nil {
		l.exceeded(d)
	}
	if len(asked) != 1 {
		t.Errorf("asked %d times", len(asked))
	}
	mute := &latencies{
		devices: ebs.Host{LogPage: func(string) ([]byte, error) { asked <- struct{}{}; return nil, ebs.ErrNoPerformance }},
		asking:  map[string]chan answered{}, mute: map[string]bool{},
	}
	for range 3 {
		mute.exceeded(d)
	}
	if len(asked) != 2 {
		t.Errorf("one that has no statistics is asked again: %d", len(asked)-1)
	}
}
