package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootswain/health/latency"
	"bootswain/lab"
	"bootswain/lab/nbd"
)

const (
	usualDelay = 100 * time.Millisecond // that the laboratory adds to each request, far more than its noise
	rampLimit  = 3 * time.Minute        // guest time in which a disk that is three times as slow is found
	workBefore = 8 * time.Hour          // that the disk has been watched for already
)

// work is a steady load on a volume: it writes 4 KiB through to the disk, waits a
// little, and begins anew.
type work struct {
	*bench
	m    *lab.Machine
	name string // of the volume, which is mounted at /srv/NAME
	v    *lab.Volume
	disk string // the kernel's name
}

// steady starts a steady load on a volume of one disk.
func (b *bench) steady(m *lab.Machine, name string, v *lab.Volume) *work {
	b.Helper()
	v.SetFault(nbd.Fault{Delay: usualDelay})
	b.sh(m, fmt.Sprintf(`dd if=/dev/zero of=/srv/%s/load bs=64k count=1 conv=fsync status=none
		systemd-run -q --unit load perl -MFcntl -e 'sysopen(F, "/srv/%[1]s/load", O_WRONLY | O_DSYNC) or die;
			for (;;) { sysseek(F, 0, 0); syswrite(F, "x" x 4096) == 4096 or die $!; select(undef, undef, undef, 0.02) }'`, name))
	disk := b.sh(m, "lsblk -dnro NAME,SERIAL | sed -n 's/ "+strings.Replace(v.ID, "-", "", 1)+"$//p'")
	return &work{b, m, name, v, disk}
}

// watch returns what the disk did in each of some minutes' intervals, from the
// guest's own counters.
func (w *work) watch(minutes int) (samples []latency.Sample) {
	w.Helper()
	readings := minutes*int(time.Minute/latency.Interval) + 1
	out := w.sh(w.m, fmt.Sprintf("cd /sys/block/%s; for i in $(seq %d); do [ $i = 1 ] || sleep %.0f; date +%%s%%N; cat stat inflight; done",
		w.disk, readings, latency.Interval.Seconds()))
	sys := w.TempDir()
	dir := filepath.Join(sys, "block", w.disk)
	must(w, os.MkdirAll(dir, 0o755))
	var before latency.Counters
	lines := strings.Split(out, "\n")
	for reading := range slices.Chunk(lines, 3) {
		nanos, err := strconv.ParseInt(reading[0], 10, 64)
		must(w, err)
		must(w, os.WriteFile(filepath.Join(dir, "stat"), []byte(reading[1]+"\n"), 0o600))
		must(w, os.WriteFile(filepath.Join(dir, "inflight"), []byte(reading[2]+"\n"), 0o600))
		c, err := latency.ReadCounters(sys, w.disk, time.Unix(0, nanos))
		must(w, err)
		if s, ok := c.Since(before); ok {
			samples = append(samples, s)
		}
		before = c
	}
	if len(samples) != readings-1 {
		w.Fatalf("%d intervals of %d:\n%s", len(samples), readings-1, out)
	}
	return samples
}

// knows gives the machine's daemon a file as it would have written itself, had the
// disk done for hours what it did in the intervals that were watched, over and over.
// It is the detector's own code that learns from them here; only the hours are
// missing.
func (w *work) knows(samples []latency.Sample) {
	w.Helper()
	end, err := strconv.ParseInt(w.sh(w.m, "date +%s"), 10, 64)
	must(w, err)
	now := time.Unix(end, 0)
	t := latency.NewTracker()
	for at, i := now.Add(-workBefore), 0; at.Before(now); i++ {
		s := samples[i%len(samples)]
		t.Observe(at, s)
		at = at.Add(s.Took)
	}
	path := filepath.Join(w.TempDir(), "latency.json")
	must(w, latency.Trackers{w.v.ID: t}.Save(path, now))
	w.sh(w.m, "systemctl stop bootswain")
	w.copy(w.m, path, latency.Path)
	w.sh(w.m, "systemctl start bootswain")
	w.step("%s of work were learnt from %d intervals, such as %+v", workBefore, len(samples), samples[0])
}

// slowed makes the disk three times as slow, until that was found and told, and then
// as quick as it was.
func (w *work) slowed(prometheus *scrapes) {
	w.Helper()
	usual := prometheus.await("the baseline", fmt.Sprintf(`bootswain_disk_latency_baseline_seconds{disk=%q,op="write"}`, w.v.ID))
	w.step("the daemon knows that writes take %.0f ms", usual*1000)
	look := func(status int) (sentence string) {
		prometheus.await(fmt.Sprint("latency's status ", status), fmt.Sprintf(`bootswain_check_status{check="latency:%s"} == %d`, w.name, status))
		_, h, err := askHealth(w.ctx, w.m)
		must(w, err)
		for _, c := range h.Checks["latency:"+w.name] {
			sentence = c.Output
		}
		return sentence
	}
	alert := []string{"alertname", "BootswainDiskSlow", "disk", w.v.ID}

	look(0)
	began := w.uptime(w.m)
	w.v.SetFault(nbd.Fault{Delay: usualDelay + time.Duration(2*usual*float64(time.Second))})
	sentence := look(1)
	found := w.uptime(w.m) - began
	w.step("found after %.0f s of guest time: %s", found.Seconds(), sentence)
	if found > rampLimit {
		w.Errorf("a disk three times as slow was found after %s, want %s at most", found, rampLimit)
	}
	if !regexp.MustCompile("^DEGRADED " + w.name + ": " + w.v.ID + " .*write p50 [0-9]+ ms, [234]\\.[0-9]× baseline at like load, .*whether an EBS limit is not known").MatchString(sentence) {
		w.Errorf("the sentence is %q", sentence)
	}
	prometheus.fires(fmt.Sprintf("%s of %s is slower than it was at like load", w.v.ID, w.name), alert...)

	w.v.SetFault(nbd.Fault{Delay: usualDelay})
	look(0)
	prometheus.resolves(alert...)
	w.step("quick again after %.0f s of guest time", (w.uptime(w.m) - began - found).Seconds())
	w.sh(w.m, "systemctl stop load")
	w.v.SetFault(nbd.Fault{})
}
