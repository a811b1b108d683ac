package ebs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Log page 0xD0 of EBS volumes on Nitro: EBS user guide, "detailed performance
// statistics"; layout as amazon-ec2-utils' ebsnvme reads it. All numbers are
// little endian, times are microseconds.
const (
	opGetLogPage     = 0x02
	performancePage  = 0xD0
	performanceMagic = 0x3C23B510
	// dwords asked for, in the upper half of CDW10, as ebsnvme writes it.
	performanceDwords = 1024
	wholeController   = 1 // the namespace that ebsnvme asks

	countersOffset = 8    // eleven counters of 8 bytes
	readsOffset    = 512  // histogram of reads
	writesOffset   = 2056 // and of writes
	maxBins        = 64   // of a histogram
	binBytes       = 24   // lower, upper, count (4 bytes), 4 unused
)

// ErrNoPerformance says that a device does not have the page; asking again is
// of no use.
var ErrNoPerformance = errors.New("no statistics of EBS")

// Performance is what EBS counts of a volume since it was attached.
type Performance struct {
	Reads, Writes         uint64
	ReadBytes, WriteBytes uint64
	ReadTime, WriteTime   time.Duration // of all requests together
	// For how long more was asked for than the volume, or the instance together
	// with its other volumes, is allowed.
	VolumeIOPS, VolumeThroughput     time.Duration
	InstanceIOPS, InstanceThroughput time.Duration
	Queue                            uint64 // requests under way now
	ReadLatency, WriteLatency        []Bin
}

// Bin is one bar of a histogram of latencies, from Lower to below Upper.
type Bin struct {
	Lower, Upper time.Duration
	Count        uint32
}

// Median returns the latency that half of the requests between two histograms
// did not exceed, as far as the bars tell: the middle of one. It is 0 where there
// were none, or where the bars are not the same.
func Median(before, after []Bin) time.Duration {
	if len(before) != len(after) {
		return 0
	}
	var all uint64
	for i, b := range after {
		all += uint64(b.Count - before[i].Count) // they wrap around
		if b.Lower != before[i].Lower || b.Upper != before[i].Upper {
			return 0
		}
	}
	var below uint64
	for i, b := range after {
		if below += uint64(b.Count - before[i].Count); all > 0 && below*2 >= all {
			return b.Lower + (b.Upper-b.Lower)/2
		}
	}
	return 0
}

// Performance asks EBS how a volume did. It may take as long as the controller
// needs to answer, or five seconds.
func (h Host) Performance(path string) (Performance, error) {
	read := h.LogPage
	if read == nil {
		read = logPage
	}
	page, err := read(path)
	if err != nil {
		return Performance{}, fmt.Errorf("cannot ask %s for its statistics: %w", path, err)
	}
	return parsePerformance(page)
}

func logPage(path string) ([]byte, error) {
	page, err := identify(path)
	if err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint16(page) != vendorAmazon {
		return nil, ErrNoPerformance // 0xD0 is the vendor's own: it may mean anything
	}
	return ask(path, adminCmd{opcode: opGetLogPage, nsid: wholeController, cdw10: performancePage | performanceDwords<<16})
}

// parsePerformance reads the page; ErrNoPerformance if it is another's.
func parsePerformance(page []byte) (p Performance, err error) {
	if len(page) != pageBytes {
		return p, fmt.Errorf("log page of EBS has %d bytes, not %d", len(page), pageBytes)
	}
	if binary.LittleEndian.Uint32(page) != performanceMagic {
		return p, ErrNoPerformance
	}
	counter := func(n int) uint64 { return binary.LittleEndian.Uint64(page[countersOffset+8*n:]) }
	p.Reads, p.Writes, p.ReadBytes, p.WriteBytes = counter(0), counter(1), counter(2), counter(3)
	p.ReadTime, p.WriteTime = micros(counter(4)), micros(counter(5))
	p.VolumeIOPS, p.VolumeThroughput = micros(counter(6)), micros(counter(7))
	p.InstanceIOPS, p.InstanceThroughput = micros(counter(8)), micros(counter(9))
	p.Queue = counter(10)
	if p.ReadLatency, err = parseHistogram(page[readsOffset:writesOffset]); err != nil {
		return Performance{}, err
	}
	p.WriteLatency, err = parseHistogram(page[writesOffset : writesOffset+8+maxBins*binBytes])
	if err != nil {
		return Performance{}, err
	}
	return p, nil
}

func parseHistogram(b []byte) ([]Bin, error) {
	n := binary.LittleEndian.Uint64(b)
	if n > maxBins {
		return nil, fmt.Errorf("log page of EBS has a histogram of %d bars; at most %d fit", n, maxBins)
	}
	bins := make([]Bin, n)
	for i := range bins {
		at := b[8+i*binBytes:]
		bins[i] = Bin{
			Lower: micros(binary.LittleEndian.Uint64(at)), Upper: micros(binary.LittleEndian.Uint64(at[8:])),
			Count: binary.LittleEndian.Uint32(at[16:]),
		}
	}
	return bins, nil
}

// micros is a number of microseconds, at most what a duration can hold: the
// last bar of a histogram may be open.
func micros(n uint64) time.Duration {
	const most = uint64(1<<63-1) / uint64(time.Microsecond)
	return time.Duration(min(n, most)) * time.Microsecond
}
