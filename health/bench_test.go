package health_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/health/vitals"
	"bootswain/internal/situation"
)

// TestBeside measures bootswain's listener beside node_exporter, natively, in one
// run. It takes root, for a /run of its own, and the two programs:
// BOOTSWAIN_BENCH=bootswain:node_exporter, which make bench-health sets.
func TestBeside(t *testing.T) {
	programs := strings.Split(os.Getenv("BOOTSWAIN_BENCH"), ":")
	if len(programs) != 2 {
		t.Skip("make bench-health runs this")
	}
	run := t.TempDir()
	d := &daemon{t: t, path: filepath.Join(run, "status.json"), looks: vitals.Watch(t.Context(), vitals.This())}
	d.write()
	ours := listen(t, programs[0], run)
	theirs := begin(t, exec.Command(programs[1], "--web.listen-address=127.0.0.1:19100", "--log.level=error"), "127.0.0.1:19100")
	theirs.answers()
	fmt.Printf("%-52s %12s %12s\n", "", "bootswain", "exporter")
	row := func(what, a, b string) { fmt.Printf("%-52s %12s %12s\n", what, a, b) }

	row("resident at first, MiB (not of the program's file)", ours.resident(), theirs.resident())
	const scrapes = 200
	a := ours.cpu(scrapes, "/metrics", d.write)
	b := theirs.cpu(scrapes, "/metrics", func() {})
	row("CPU a scrape of /metrics, each of a new report", a.String(), b.String())
	fmt.Printf("%-52s %11.1fx\n", "  less than the exporter's by", float64(b)/float64(a))
	h := ours.cpu(scrapes, "/health", d.write)
	row("CPU a poll of /health, each of a new report", h.String(), "")
	fmt.Printf("%-52s %11.1fx\n", "  less than the exporter's scrape by", float64(b)/float64(h))
	row("CPU a poll of /health, the report unchanged", ours.cpu(10*scrapes, "/health", func() {}).String(), "")
	row("CPU of the daemon's looks and report, every 5 s", d.cost(scrapes).String(), "")
	ours.cpu(10000, "/health", func() {})
	row("resident after 10,000 polls, MiB", ours.resident(), theirs.resident())

	row("100 pollers, 10 polls a second each: p99", ours.p99("/health"), "")
	d.hung = true
	d.write()
	row("the same, one disk hung and its checks old: p99", ours.p99("/health"), "")
}

// daemon writes reports as the daemon does.
type daemon struct {
	t     *testing.T
	path  string
	looks *vitals.Watcher
	hung  bool
}

func (d *daemon) write() {
	now := time.Now()
	r := health.Report{Release: "bench", Time: now, Uptime: health.Uptime(), Instance: "i-0abc", Launch: health.Launch{Known: true}}
	for i := range 20 {
		r.Checks = append(r.Checks, health.CheckOf(fmt.Sprintf("volume:data%d", i), &situation.Situation{Word: situation.Ready, Subject: "data", Text: "mounted on /srv/data."}, now))
		r.Steps = append(r.Steps, health.Step{Name: fmt.Sprintf("data: step %d", i), Start: now, Duration: time.Second})
	}
	if d.hung {
		r.Checks[0].Time = now.Add(-time.Minute)
	}
	seen := d.looks.Seen()
	r.Checks, r.Numbers.Metrics = append(r.Checks, seen.Checks...), seen.Families
	if err := r.Write(d.path); err != nil {
		d.t.Fatal(err)
	}
}

// cost is the processor time of looking at everything and writing it down.
func (d *daemon) cost(n int) time.Duration {
	before := self()
	for range n {
		ctx, cancel := context.WithCancel(d.t.Context())
		d.looks = vitals.Watch(ctx, vitals.This())
		for len(d.looks.Seen().Checks) < 4 {
			time.Sleep(time.Millisecond)
		}
		d.write()
		cancel()
	}
	return (self() - before) / time.Duration(n)
}

func self() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // never fails for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// server is one of the two programs.
type server struct {
	t   *testing.T
	pid int
	at  string
}

// listen starts bootswain's listener as systemd does, with a /run of its own.
func listen(t *testing.T, program, run string) server {
	t.Helper()
	s := listening(t, program, run)
	s.answers()
	return s
}

// listening is the same, not waited for.
func listening(t *testing.T, program, run string) server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	defer socket.Close()
	const script = `mount -t tmpfs none /run && mkdir /run/bootswain && mount --bind "$1" /run/bootswain && LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" health-listen`
	cmd := exec.Command("unshare", "--mount", "sh", "-c", script, program, run)
	cmd.ExtraFiles = []*os.File{socket}
	return begin(t, cmd, at)
}

// begin starts a program that will listen at an address, until the test ends.
func begin(t *testing.T, cmd *exec.Cmd, at string) server {
	t.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return server{t, cmd.Process.Pid, at}
}

// answers waits until the program listens, and has done what it does at its start,
// which is not a scrape's.
func (s server) answers() {
	s.t.Helper()
	for range 600 {
		if c, err := net.Dial("tcp", s.at); err == nil {
			c.Close()
			time.Sleep(500 * time.Millisecond)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatal("nobody listens on " + s.at)
}

func (s server) get(client *http.Client, path string) {
	resp, err := client.Get("http://" + s.at + path)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// cpu is what one request costs the server's processors.
func (s server) cpu(n int, path string, before func()) time.Duration {
	client := &http.Client{}
	s.get(client, path)
	began := s.ran()
	for range n {
		before()
		s.get(client, path)
	}
	return ((s.ran() - began) / time.Duration(n)).Round(time.Microsecond)
}

// ran is how long all threads ran, by the first number of schedstat.
func (s server) ran() (sum time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		first, _, _ := strings.Cut(string(b), " ")
		ns, _ := strconv.ParseInt(first, 10, 64)
		sum += time.Duration(ns)
	}
	return sum
}

// resident is what is in memory, and what of it is no part of the program's file,
// which bootswain's processes share.
func (s server) resident() string {
	mib := s.memory()
	return fmt.Sprintf("%.1f (%.1f)", mib["VmRSS:"], mib["RssAnon:"])
}

// memory is in MiB, by the names of /proc.
func (s server) memory() map[string]float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	mib := map[string]float64{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 {
			kib, _ := strconv.ParseFloat(f[1], 64)
			mib[f[0]] = kib / 1024
		}
	}
	return mib
}

// p99 has 100 pollers ask for 10 seconds, each 10 times a second.
func (s server) p99(path string) string {
	var mu sync.Mutex
	var all []time.Duration
	var pollers sync.WaitGroup
	for i := range 100 {
		pollers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			time.Sleep(time.Duration(i) * time.Millisecond)
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for range 100 {
				<-tick.C
				began := time.Now()
				s.get(client, path)
				mu.Lock()
				all = append(all, time.Since(began))
				mu.Unlock()
			}
		})
	}
	pollers.Wait()
	slices.Sort(all)
	return all[len(all)*99/100].Round(10 * time.Microsecond).String()
}
