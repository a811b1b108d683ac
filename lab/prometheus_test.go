package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/lab/prometheus"
)

// TestPrometheus has Debian's Prometheus, where it was unpacked, ask a listener
// that tells of a slow disk, and then of a quick one.
func TestPrometheus(t *testing.T) {
	if _, err := prometheus.Tool("prometheus"); err != nil {
		t.Skip("Prometheus is not there; make test unpacks it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "status.json")
	tell := func(degraded float64) {
		t.Helper()
		r := health.Report{Release: "1", Time: time.Now(), Uptime: health.Uptime(), Instance: "i-1"}
		r.Numbers.Metrics = []health.Family{{Name: "bootswain_disk_degraded", Kind: health.Gauge, Help: "Whether it is slow.",
			Samples: []health.Sample{{Labels: map[string]string{"volume": "data", "disk": "vol-1"}, Value: degraded}}}}
		if err := r.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	tell(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = health.Serve(ctx, listener, path, health.Access{}, func() {}) }() // it ends with the test
	addr := listener.Addr().String()
	if code, body, err := Get(ctx, addr, "/metrics"); err != nil || code != 200 {
		t.Errorf("/metrics: %d %v", code, err)
	} else if err := prometheus.Lint(ctx, body); err != nil {
		t.Error(err)
	}

	l := &Lab{dir: t.TempDir(), log: io.Discard}
	server, err := l.Prometheus(ctx, "../packaging/prometheus/alerts.yml", map[string]string{"i-1": addr})
	if err != nil {
		t.Fatal(err)
	}
	defer l.prometheus.kill()
	slow := func(want bool) {
		t.Helper()
		if err := WaitFor(ctx, "the alert", func(ctx context.Context) error {
			alerts, err := server.Alerts(ctx)
			i := slices.IndexFunc(alerts, func(a prometheus.Alert) bool {
				return a.State == "firing" && a.Annotations["summary"] == "i-1: vol-1 of data is slower than it was at like load"
			})
			if is := i >= 0; err == nil && is != want {
				err = fmt.Errorf("alerts: %v", alerts)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	slow(true)
	if up, err := server.Query(ctx, `up{job="bootswain",instance="i-1"}`); err != nil || !slices.Equal(up, []float64{1}) {
		t.Errorf("up: %v, %v", up, err)
	}
	tell(0)
	slow(false)
}

func TestPrometheusEnds(t *testing.T) {
	if _, err := prometheus.Tool("prometheus"); err != nil {
		t.Skip("Prometheus is not there; make test unpacks it")
	}
	l := &Lab{dir: t.TempDir(), log: io.Discard}
	if _, err := l.Prometheus(t.Context(), "no such\nrules[", nil); err == nil || !strings.Contains(err.Error(), "it ended: ") {
		t.Errorf("rules that are none: %v", err)
	}
}
