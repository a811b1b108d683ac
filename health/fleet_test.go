package health

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFleet: one who scrapes 500 machines, each of which has news each time.
// What it prints is the cost of one machine's listener and of the one who asks.
func TestFleet(t *testing.T) {
	const machines, rounds, scrapers = 500, 2, 16
	path := filepath.Join(t.TempDir(), "status.json") // one for all: each reads it for itself
	news := func() {
		now := time.Now()
		r := Report{Release: "1", Time: now, Instance: "i-0abc"}
		for i := range 40 {
			r.Checks = append(r.Checks, Check{Name: fmt.Sprint("check:", i), Status: Pass, Time: now, Sentence: Sentence{Word: "READY", Subject: "x", Text: "as usual."}})
		}
		for i := range 60 {
			f := Family{Name: fmt.Sprintf("bootswain_measurement_%d", i), Kind: Gauge, Help: "A measurement."}
			for k := range 4 {
				f.Samples = append(f.Samples, Sample{map[string]string{"of": fmt.Sprint(k)}, float64(i * k)})
			}
			r.Numbers.Metrics = append(r.Numbers.Metrics, f)
		}
		if err := r.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	news()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	urls := make([]string, machines)
	for i := range urls {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		urls[i] = "http://" + l.Addr().String() + "/metrics"
		go func() { _ = Serve(ctx, l, path, func() {}) }() // it ends with the test
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConns: machines}}
	defer client.CloseIdleConnections()
	var took []time.Duration
	var spent time.Duration
	size := 0
	for range rounds {
		news()
		begun := used()
		var mu sync.Mutex
		var all sync.WaitGroup
		work := make(chan string)
		for range scrapers {
			all.Go(func() {
				for url := range work {
					start := time.Now()
					n, err := scrape(client, url)
					mu.Lock()
					took, size = append(took, time.Since(start)), n
					mu.Unlock()
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, url := range urls {
			work <- url
		}
		close(work)
		all.Wait()
		spent += used() - begun
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	slices.Sort(took)
	n := len(took)
	t.Logf("%d listeners scraped %d times: %s of processor a scrape of %d KiB, half took %s, 99 of 100 %s; %d KiB of memory a listener",
		machines, rounds, spent/time.Duration(n), size>>10, took[n/2], took[n*99/100], int64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse)/machines>>10)
}

func scrape(client *http.Client, url string) (int, error) {
	answer, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && !strings.Contains(string(body), "bootswain_measurement_59{of=\"3\"} 177\n") {
		err = fmt.Errorf("%s answered %s without the last measurement", url, answer.Status)
	}
	return len(body), err
}

// used is the processor's time that this process has had.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
