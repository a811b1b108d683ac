package ebs

import (
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// performanceOf is a page by the layout of amazon-ec2-utils' ebsnvme: counters
// 1, 2, 3… and two histograms of two bars.
func performanceOf() []byte {
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, performanceMagic)
	b = append(b, 0, 0, 0, 0)
	for i := range uint64(11) {
		b = binary.LittleEndian.AppendUint64(b, i+1)
	}
	b = append(b, make([]byte, 416)...)
	for range 2 {
		b = binary.LittleEndian.AppendUint64(b, 2)
		for i := range 64 {
			bar := [2]uint64{}
			if i < 2 {
				bar = [2]uint64{uint64(i) * 512, ^uint64(0) >> (54 * (1 - i))}
			}
			b = binary.LittleEndian.AppendUint64(b, bar[0])
			b = binary.LittleEndian.AppendUint64(b, bar[1])
			b = binary.LittleEndian.AppendUint32(b, uint32(i+7))
			b = append(b, 0, 0, 0, 0)
		}
	}
	return append(b, make([]byte, 496)...)
}

func TestPerformance(t *testing.T) {
	h := Host{LogPage: func(string) ([]byte, error) { return performanceOf(), nil }}
	got, err := h.Performance("/dev/nvme1n1")
	if err != nil {
		t.Fatal(err)
	}
	us := time.Microsecond
	bars := []Bin{{0, 1023 * us, 7}, {512 * us, (1<<63 - 1) / us * us, 8}}
	want := Performance{
		Reads: 1, Writes: 2, ReadBytes: 3, WriteBytes: 4, ReadTime: 5 * us, WriteTime: 6 * us,
		VolumeIOPS: 7 * us, VolumeThroughput: 8 * us, InstanceIOPS: 9 * us, InstanceThroughput: 10 * us, Queue: 11,
		ReadLatency: bars, WriteLatency: bars,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the page says %+v, want %+v", got, want)
	}
}

func TestPerformanceOfOthers(t *testing.T) {
	stranger, crowded := performanceOf(), performanceOf()
	stranger[0]++
	crowded[writesOffset] = 65
	gone := errors.New("gone")
	for _, c := range []struct {
		page []byte
		fail error
		want string
	}{
		{make([]byte, 512), nil, "log page of EBS has 512 bytes, not 4096"},
		{stranger, nil, ErrNoPerformance.Error()},
		{crowded, nil, "log page of EBS has a histogram of 65 bars; at most 64 fit"},
		{nil, gone, "cannot ask /dev/nvme1n1 for its statistics: gone"},
	} {
		h := Host{LogPage: func(string) ([]byte, error) { return c.page, c.fail }}
		if _, err := h.Performance("/dev/nvme1n1"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	bars := func(counts ...uint32) []Bin {
		var all []Bin
		for i, n := range counts {
			all = append(all, Bin{time.Duration(i) * time.Millisecond, time.Duration(i+1) * time.Millisecond, n})
		}
		return all
	}
	for _, c := range []struct {
		before, after []Bin
		want          time.Duration
	}{
		{bars(1, 1, 1), bars(1, 1, 1), 0},
		{bars(90, 1, 1), bars(91, 2, 9), 2500 * time.Microsecond},
		{bars(^uint32(0), 0, 0), bars(9, 0, 0), 500 * time.Microsecond},
		{bars(1), bars(1, 9), 0},
		{[]Bin{{Upper: 9}}, []Bin{{Upper: 8, Count: 3}}, 0},
		{nil, nil, 0},
	} {
		if got := Median(c.before, c.after); got != c.want {
			t.Errorf("from %v to %v half take %s, want %s", c.before, c.after, got, c.want)
		}
	}
}

func FuzzPerformance(f *testing.F) {
	f.Add(performanceOf())
	f.Fuzz(func(t *testing.T, page []byte) {
		p, err := parsePerformance(page)
		if err != nil {
			return
		}
		if len(p.ReadLatency) > maxBins || len(p.WriteLatency) > maxBins || p.VolumeIOPS < 0 || p.WriteTime < 0 || Median(p.ReadLatency, p.WriteLatency) < 0 {
			t.Errorf("%+v", p)
		}
	})
}
