package vitals

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs/blockdevice"

	"bootswain/health"
)

// sector is the unit of /proc/diskstats, whatever the disk's own is.
const sector = 512

// disks are the whole disks that the kernel knows.
type disks struct {
	host  Host
	known map[string]*disk
}

// disk is what is remembered of one from look to look.
type disk struct {
	id    string // "vol-0a22…", or its kernel name
	ended uint64 // requests so far
	since time.Time
}

func (d *disks) look(now time.Time) Seen {
	var s Seen
	fs, err := blockdevice.NewFS(d.host.Proc, d.host.Sys)
	if err != nil {
		return s
	}
	list, err := fs.ProcDiskstats()
	if err != nil {
		return s
	}
	there := map[string]bool{}
	for _, stat := range list {
		name := stat.DeviceName
		if !d.whole(name) {
			continue
		}
		there[name] = true
		s.Checks = append(s.Checks, d.check(stat, now))
		s.disk(d.known[name].id, stat)
	}
	for name := range d.known {
		if !there[name] {
			delete(d.known, name)
		}
	}
	return s
}

// whole says whether it is a disk that stands for itself: neither a partition,
// which has no directory of its own there, nor made of others, nor one of the
// paths of a disk that has several.
func (d *disks) whole(name string) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	hidden, err := os.ReadFile(filepath.Join(d.host.Sys, "block", name, "hidden"))
	return err == nil && strings.TrimSpace(string(hidden)) == "0"
}

// check judges the requests that are under way: a disk that has some and ends
// none does not answer.
func (d *disks) check(stat blockdevice.Diskstats, now time.Time) health.Check {
	ended := stat.ReadIOs + stat.WriteIOs + stat.DiscardIOs + stat.FlushRequestsCompleted
	k := d.known[stat.DeviceName]
	if k == nil {
		k = &disk{id: d.identity(stat.DeviceName), since: now}
		d.known[stat.DeviceName] = k
	}
	if k.ended != ended || stat.IOsInProgress == 0 {
		k.ended, k.since = ended, now
	}
	text := "answers."
	stuck := now.Sub(k.since)
	if stuck > 0 {
		text = fmt.Sprintf("%s has %d requests under way and ended none for %s.", stat.DeviceName, stat.IOsInProgress, stuck.Round(time.Second))
	}
	return Measured("disk", k.id, stuck.Seconds(), text, now)
}

// identity is the EBS volume's id, which its serial number is, or the kernel's
// name of the disk.
func (d *disks) identity(name string) string {
	b, err := os.ReadFile(filepath.Join(d.host.Sys, "block", name, "device", "serial"))
	if serial := strings.TrimSpace(string(b)); err == nil && len(serial) > 3 && strings.HasPrefix(serial, "vol") {
		return "vol-" + strings.TrimPrefix(serial[3:], "-")
	}
	return name
}

// disk adds a disk's counters.
func (s *Seen) disk(id string, stat blockdevice.Diskstats) {
	each := func(name string, kind health.Kind, help string, v float64) {
		s.add("bootswain_disk_"+name, kind, help, "disk", labelled{id, v})
	}
	each("reads_completed_total", health.Counter, "Reads that ended.", float64(stat.ReadIOs))
	each("writes_completed_total", health.Counter, "Writes that ended.", float64(stat.WriteIOs))
	each("read_bytes_total", health.Counter, "What was read.", float64(stat.ReadSectors)*sector)
	each("written_bytes_total", health.Counter, "What was written.", float64(stat.WriteSectors)*sector)
	each("read_time_seconds_total", health.Counter, "How long all reads took.", float64(stat.ReadTicks)/1e3)
	each("write_time_seconds_total", health.Counter, "How long all writes took.", float64(stat.WriteTicks)/1e3)
	each("io_time_seconds_total", health.Counter, "Time in which requests were under way.", float64(stat.IOsTotalTicks)/1e3)
	each("io_time_weighted_seconds_total", health.Counter, "The same, times the requests under way; its rate is the queue.", float64(stat.WeightedIOTicks)/1e3)
	each("io_now", health.Gauge, "Requests under way.", float64(stat.IOsInProgress))
}
