package vitals

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/health"
	"bootswain/spec"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// model is a machine whose files a test writes.
type model struct {
	t    *testing.T
	host Host
	stat unix.Statfs_t
	time unix.Timex
}

func newModel(t *testing.T) *model {
	t.Helper()
	dir := t.TempDir()
	m := &model{t: t, stat: unix.Statfs_t{Bsize: 4096, Blocks: 1000, Bfree: 500, Bavail: 500, Files: 100, Ffree: 90}}
	m.time.Maxerror = 2000
	m.host = Host{
		Proc: filepath.Join(dir, "proc"), Sys: filepath.Join(dir, "sys"), Now: func() time.Time { return noon },
		Statfs: func(string) (unix.Statfs_t, error) { return m.stat, nil },
		Clock:  func() (unix.Timex, error) { return m.time, nil },
	}
	m.write("proc/loadavg", "0.50 0.40 0.30 1/100 1234\n")
	m.write("proc/uptime", "3600.00 7000.00\n")
	m.write("proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nbtime 1700000000\n")
	m.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 500 kB\nSwapTotal: 100 kB\nSwapFree: 100 kB\n")
	for _, r := range []string{"cpu", "memory", "io"} {
		m.pressure(r, 1)
	}
	m.write("proc/diskstats", "")
	m.write("proc/self/mountinfo", "36 1 253:0 / /srv/data rw,noatime - ext4 /dev/mapper/x rw\n")
	return m
}

func (m *model) write(path, content string) {
	m.t.Helper()
	path = filepath.Join(filepath.Dir(m.host.Proc), path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) pressure(resource string, percent float64) {
	line := fmt.Sprintf("avg10=0.00 avg60=0.00 avg300=%.2f total=2000000\n", percent)
	m.write("proc/pressure/"+resource, "some "+line+"full "+line)
}

// said returns a check as "status text", or "" if there is none.
func said(s Seen, name string) string {
	Limits(nil).Judge(s.Checks)
	for _, c := range s.Checks {
		if c.Name == name {
			return string(c.Status) + " " + c.Sentence.Situation().Error()
		}
	}
	return ""
}

func expect(t *testing.T, s Seen, name, want string) {
	t.Helper()
	if got := said(s, name); !strings.HasPrefix(got, want) || want == "" && got != "" {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
	for _, c := range s.Checks {
		if c.Name == name && c.Status != health.Pass && c.Sentence.Next == "" {
			t.Errorf("%s says not what to do", name)
		}
	}
}

func TestKernel(t *testing.T) {
	m := newModel(t)
	k := &kernel{host: m.host}
	s := k.look(noon)
	expect(t, s, "processor", "")
	expect(t, s, "load", "pass READY load: 0.15 tasks for each of 2 processors")
	expect(t, s, "memory", "pass READY memory: 500 KiB of 1e+03 KiB available.")
	expect(t, s, "swap", "pass")
	expect(t, s, "pressure:io", "pass READY pressure:io: all tasks waited for it in 1% of 5m.")

	m.write("proc/stat", "cpu  2000 0 38000 500 500 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nbtime 1700000000\n")
	m.write("proc/loadavg", "20 20 20.00 1/100 1234\n")
	m.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 20 kB\nSwapTotal: 100 kB\nSwapFree: 10 kB\n")
	m.pressure("cpu", 95)
	m.pressure("memory", 60)
	m.pressure("io", 45)
	s = k.look(noon.Add(5 * time.Minute))
	expect(t, s, "processor", "warn DEGRADED processor: 98% busy over 5m.")
	expect(t, s, "load", "warn DEGRADED load: 10.00 tasks")
	expect(t, s, "memory", "fail FAILED memory: 20 KiB of")
	expect(t, s, "swap", "warn DEGRADED swap: 90 KiB of 100 KiB taken.")
	expect(t, s, "pressure:cpu", "warn DEGRADED pressure:cpu: some task waited")
	expect(t, s, "pressure:memory", "fail")
	expect(t, s, "pressure:io", "warn")
	for _, f := range s.Families {
		if f.Name == "bootswain_cpu_seconds_total" && (len(f.Samples) != 8 || f.Samples[2].Value != 380) {
			t.Errorf("cpu seconds %+v", f.Samples)
		}
	}
}

// TestBoot: a machine that has just booted was busy, and is not judged by that.
func TestBoot(t *testing.T) {
	m := newModel(t)
	m.write("proc/uptime", "500.00 0.00\n")
	m.pressure("cpu", 99)
	s := (&kernel{host: m.host}).look(noon)
	expect(t, s, "pressure:cpu", "")
	expect(t, s, "load", "")
	expect(t, s, "memory", "pass")
}

// TestKernelWithoutPressure: an old kernel has fewer checks, and no failure.
func TestKernelWithoutPressure(t *testing.T) {
	m := newModel(t)
	if err := os.RemoveAll(filepath.Join(m.host.Proc, "pressure")); err != nil {
		t.Fatal(err)
	}
	s := (&kernel{host: m.host}).look(noon)
	expect(t, s, "pressure:io", "")
	expect(t, s, "memory", "pass")
}

func TestDisks(t *testing.T) {
	m := newModel(t)
	m.write("sys/block/nvme1n1/device/serial", "vol0123456789abcdef0\n")
	m.write("sys/block/nvme1n1/hidden", "0\n")
	m.write("sys/block/nvme1c1n1/hidden", "1\n")
	m.write("sys/block/dm-0/hidden", "0\n")
	stat := func(reads, now int) {
		m.write("proc/diskstats", fmt.Sprintf(`259 0 nvme1n1 %d 0 80 5 10 0 160 20 %d 12 25 0 0 0 0 0 0
259 1 nvme1n1p1 1 0 8 0 0 0 0 0 9 0 0 0 0 0 0 0 0
259 2 nvme1c1n1 1 0 8 0 0 0 0 0 9 0 0 0 0 0 0 0 0
254 0 dm-0 1 0 8 0 0 0 0 0 9 0 0 0 0 0 0 0 0
`, reads, now))
	}
	d := &disks{host: m.host, known: map[string]*disk{}}
	const check = "disk:vol-0123456789abcdef0"
	for _, step := range []struct {
		after      time.Duration
		reads, now int
		want       string
	}{
		{0, 10, 1, "pass READY vol-0123456789abcdef0: answers."},
		{5 * time.Second, 11, 3, "pass"},
		{14 * time.Second, 11, 3, "pass"},
		{16 * time.Second, 11, 3, "warn DEGRADED vol-0123456789abcdef0: nvme1n1 has 3 requests under way and ended none for 11s."},
		{40 * time.Second, 11, 3, "fail FAILED vol-0123456789abcdef0: nvme1n1 has 3 requests under way and ended none for 35s."},
		{45 * time.Second, 12, 3, "pass"},
		{50 * time.Second, 12, 0, "pass"},
		{500 * time.Second, 12, 0, "pass"},
	} {
		stat(step.reads, step.now)
		s := d.look(noon.Add(step.after))
		expect(t, s, check, step.want)
		if len(s.Checks) != 1 {
			t.Errorf("%d disks", len(s.Checks))
		}
	}
	m.write("proc/diskstats", "")
	if s := d.look(noon); len(s.Checks) != 0 || len(d.known) != 0 {
		t.Error("a disk that is gone is remembered")
	}
}

func TestSpace(t *testing.T) {
	m := newModel(t)
	p := &space{host: m.host, place: Place{Path: "/srv/data"}}
	s := p.look(noon)
	expect(t, s, "space:/srv/data", "pass READY /srv/data: 50% taken, 1.95 MiB free.")
	expect(t, s, "inodes:/srv/data", "pass")
	expect(t, s, "writable:/srv/data", "pass")
	expect(t, s, "full-in:/srv/data", "")

	// 10 blocks a minute: 400 are left after 10 minutes, which last 40 more.
	for minute := range 41 {
		m.stat.Bfree, m.stat.Bavail = uint64(500-10*minute), uint64(500-10*minute)
		s = p.look(noon.Add(time.Duration(minute) * time.Minute))
		if minute == 29 {
			expect(t, s, "full-in:/srv/data", "")
		}
	}
	expect(t, s, "full-in:/srv/data", "warn DEGRADED /srv/data: full in about 10 minutes if")
	expect(t, s, "space:/srv/data", "warn DEGRADED /srv/data: 90% taken")

	m.stat.Bavail, m.stat.Bfree, m.stat.Ffree = 10, 60, 1
	m.write("proc/self/mountinfo", "36 1 253:0 / /srv/data rw,noatime - ext4 /dev/mapper/x ro\n")
	m.write("sys/fs/ext4/dm-0/errors_count", "3\n")
	if err := os.MkdirAll(filepath.Join(m.host.Sys, "dev/block"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../devices/virtual/block/dm-0", filepath.Join(m.host.Sys, "dev/block/253:0")); err != nil {
		t.Fatal(err)
	}
	s = p.look(noon.Add(time.Hour))
	expect(t, s, "space:/srv/data", "fail FAILED /srv/data: 99% taken")
	expect(t, s, "inodes:/srv/data", "fail FAILED /srv/data: 99% of its files taken.")
	expect(t, s, "writable:/srv/data", "fail FAILED /srv/data: became read-only.")
	expect(t, s, "errors:/srv/data", "warn DEGRADED /srv/data: the file system has noted errors: 3.")

	m.host.Statfs = func(string) (unix.Statfs_t, error) { return unix.Statfs_t{}, errors.New("input/output error") }
	s = Room(m.host, Place{Path: "/srv/data"}).See(t.Context(), noon)
	expect(t, s, "space:/srv/data", "fail FAILED /srv/data: does not say how full it is: input/output error.")
	expect(t, s, "writable:/srv/data", "fail FAILED /srv/data: became read-only.")
	s = Room(m.host, Place{Path: "/srv/data", ReadOnly: true}).See(t.Context(), noon)
	expect(t, s, "writable:/srv/data", "pass READY /srv/data: is read-only, as it is meant to be.")
	m.write("proc/self/mountinfo", "36 1 253:0 / / rw,noatime - ext4 /dev/mapper/x ro\n")
	s = Room(m.host, Place{Path: "/"}).See(t.Context(), noon)
	expect(t, s, "writable:/", "pass READY /: is read-only, as it is meant to be.")
}

func TestClock(t *testing.T) {
	m := newModel(t)
	c := &clock{host: m.host}
	expect(t, c.look(noon), "clock", "pass READY clock: wrong by 2ms at most.")
	m.time.Maxerror = 3e6
	expect(t, c.look(noon), "clock", "warn DEGRADED clock: wrong by 3s at most.")
	m.time.Status, m.time.Maxerror = unix.STA_UNSYNC, 16e6
	expect(t, c.look(noon), "clock", "warn DEGRADED clock: follows no source of time.")
	m.write("proc/uptime", "60.00 70.00\n")
	expect(t, c.look(noon), "clock", "pass READY clock: follows no source of time yet.")

	// Times that were parsed have no monotonic reading; what a jump does to the
	// difference of the two is made here.
	m.time.Status, m.time.Maxerror = 0, 0
	c.jumped, c.at = 90*time.Second, noon
	expect(t, c.look(noon.Add(time.Minute)), "clock", "warn DEGRADED clock: jumped by 1m30s 1m0s ago.")
	expect(t, c.look(noon.Add(11*time.Minute)), "clock", "pass")
}

// TestHang: a place that does not answer fails alone, by its age.
func TestHang(t *testing.T) {
	m := newModel(t)
	now := noon
	m.host.Now = func() time.Time { return now }
	never := make(chan struct{})
	hangs := &probe{Look: Look{Check: "space:/srv/data", See: func(context.Context, time.Time) Seen { <-never; return Seen{} }}, began: noon}
	answers := &probe{Look: Room(m.host, Place{Path: "/"}), began: noon}
	w := &Watcher{host: m.host, probes: []*probe{hangs, answers}}
	ended := make(chan bool)
	go func() { w.once(t.Context(), hangs); close(ended) }()
	w.once(t.Context(), answers)
	find := func(s Seen, name string) int {
		return slices.IndexFunc(s.Checks, func(c health.Check) bool { return c.Name == name })
	}
	s := w.Seen()
	if find(s, "space:/srv/data") >= 0 || find(s, "space:/") < 0 || len(s.Families) == 0 {
		t.Errorf("at first: %+v", s)
	}
	now = now.Add(health.MaxAge + time.Second)
	s = w.Seen()
	if i := find(s, "space:/srv/data"); i < 0 || !s.Checks[i].Time.Equal(noon) {
		t.Errorf("a place that never answers: %+v", s.Checks)
	}
	if i := find(s, "space:/"); i < 0 || len(s.Families) != 0 {
		t.Errorf("a place that was not looked at again: %+v", s)
	}
	close(never)
	<-ended

	// A look that could see nothing changes nothing.
	answers.See = func(context.Context, time.Time) Seen { return Seen{Nothing: true} }
	w.once(t.Context(), answers)
	if i := find(w.Seen(), "space:/"); i < 0 || !w.Seen().Checks[i].Time.Equal(noon) {
		t.Error("a look that saw nothing made what was seen before young, or forgot it")
	}
}

// TestFollow: what is not followed any more is not told of.
func TestFollow(t *testing.T) {
	m := newModel(t)
	w := &Watcher{host: m.host, probes: []*probe{{Look: Look{Check: "clock"}, always: true}}}
	names := func() (list []string) {
		for _, p := range w.probes {
			list = append(list, p.Check)
		}
		return list
	}
	for _, tt := range []struct{ places, want string }{
		{"/a /b", "clock space:/a space:/b"}, {"/b /c", "clock space:/b space:/c"}, {"", "clock"},
	} {
		var looks []Look
		for _, path := range strings.Fields(tt.places) {
			looks = append(looks, Room(m.host, Place{Path: path}))
		}
		w.Follow(t.Context(), looks, nil)
		if got := strings.Join(names(), " "); got != tt.want {
			t.Errorf("follows %q, want %q", got, tt.want)
		}
	}
}

// TestThisMachine: the machine that the tests run on can be looked at.
func TestThisMachine(t *testing.T) {
	w := &Watcher{host: This()}
	for _, l := range whole(This()) {
		p := &probe{Look: l}
		w.once(t.Context(), p)
		w.probes = append(w.probes, p)
	}
	s := w.Seen()
	if said(s, "memory") == "" || said(s, "load") == "" || said(s, "clock") == "" {
		t.Errorf("checks %+v", s.Checks)
	}
	for _, c := range s.Checks {
		if c.Sentence.Text == "" || !c.Quiet || c.Status == "" {
			t.Errorf("check %+v", c)
		}
	}
}

var update = flag.Bool("update", false, "write the table of limits into the documentation")

// TestDocumentation compares the table of limits with the code. With -update it
// writes it.
func TestDocumentation(t *testing.T) {
	const file, begin, end = "../../docs/health.md", "<!-- the table of limits: go test ./health/vitals -update -->\n", "<!-- end -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+table()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != table() {
		t.Errorf("the table in %s is old: go test ./health/vitals -update", file)
	}
}

// table is the limits as the documentation shows them.
func table() string {
	var b strings.Builder
	b.WriteString("| check | measures | warn | fail | what to do |\n|---|---|---|---|---|\n")
	at := func(l spec.Limit, v float64) string {
		if math.IsInf(v, 0) {
			return "never"
		}
		sign := "from"
		if l.Below {
			sign = "below"
		}
		return fmt.Sprintf("%s %s %s", sign, strconv.FormatFloat(v, 'f', -1, 64), l.Unit)
	}
	for _, l := range spec.Limits {
		m := measured[l.Check]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", l.Check, m.is, at(l, l.Warn), at(l, l.Fail), strings.ReplaceAll(m.next, "|", `\|`))
	}
	if len(measured) != len(spec.Limits) {
		b.WriteString("something is measured and has no limit\n")
	}
	return b.String()
}

// TestLimits: from the next answer on what is measured is judged by the limits
// that hold, and what has a status of its own by none.
func TestLimits(t *testing.T) {
	look := Look{Key: "x", Check: "space:/a", Every: time.Hour, See: func(_ context.Context, now time.Time) Seen {
		own := Measured("clock", "", 0, "jumped.", now)
		own.Status = health.Warn
		return Seen{Checks: []health.Check{Measured("space", "/a", 86, "86% taken.", now), Measured("pressure:io", "", 1, "", now), own}}
	}}
	w := &Watcher{host: This()}
	p := &probe{Look: look}
	w.probes = []*probe{p}
	w.once(t.Context(), p)
	for _, tt := range []struct {
		limits Limits
		want   string
	}{
		{nil, "warn pass warn"},
		{Limits{{Check: "space", Warn: 90, Fail: 95}}, "pass pass warn"},
		{Limits{{Check: "space", Warn: 50, Fail: 60}, {Check: "pressure:io", Warn: 0.5, Fail: math.Inf(1)}}, "fail warn warn"},
	} {
		w.Follow(t.Context(), []Look{look}, tt.limits)
		var got []string
		for _, c := range w.Seen().Checks {
			got = append(got, string(c.Status))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("by %+v: %v, want %s", tt.limits, got, tt.want)
		}
	}
}
