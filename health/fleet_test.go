package health_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/health/vitals"
)

const machines = 500

// TestFleet has a real Prometheus ask 500 listeners, each a process, every 15
// seconds, with the rules that are shipped.
// It takes root, 5 GiB of memory, and the two programs with how long to measure:
// BOOTSWAIN_FLEET=bootswain:prometheus:5m, which make bench-fleet sets.
func TestFleet(t *testing.T) {
	set := strings.Split(os.Getenv("BOOTSWAIN_FLEET"), ":")
	if len(set) != 3 {
		t.Skip("make bench-fleet runs this")
	}
	measured, err := time.ParseDuration(set[2])
	if err != nil {
		t.Fatal(err)
	}
	run := t.TempDir()
	go news(t, filepath.Join(run, "status.json"))
	var fleet []server
	for range machines {
		fleet = append(fleet, listening(t, set[0], run))
	}
	for _, s := range fleet {
		s.get(http.DefaultClient, "/livez")
	}
	idle := spent(t, time.Minute, fleet)

	rules, err := filepath.Abs("../packaging/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	p := prometheus(t, set[1], rules, fleet)
	p.answers()
	time.Sleep(time.Minute) // until each was found and asked a few times
	if up := p.query(`sum(up{job="bootswain"})`); up != machines {
		t.Fatalf("%.0f of %d machines answer", up, machines)
	}
	begun := p.ran()
	asked := spent(t, measured, fleet)
	cost := p.ran() - begun
	row := func(what, format string, args ...any) { fmt.Printf("%-56s %s\n", what, fmt.Sprintf(format, args...)) }
	row("listeners that answer", "%.0f of %d", p.query(`sum(up{job="bootswain"})`), machines)
	row("series of an instance", "%.0f", p.query(`count({job="bootswain"})`)/machines)
	row("CPU of a listener that nobody asks, a second", "%s", seconds(idle, time.Microsecond))
	row("CPU of a listener for a scrape", "%s", seconds(15*(asked-idle), 10*time.Microsecond))
	row("of a listener's memory no part of the program's file", "%.1f MiB", anonymous(fleet))
	row("CPU of Prometheus for a scrape", "%s", seconds(cost.Seconds()/measured.Seconds()*15/machines, 10*time.Microsecond))
	row("CPU of Prometheus, of one processor", "%.1f %%", 100*cost.Seconds()/measured.Seconds())
	row("samples that Prometheus takes in, a second", "%.0f", p.query("sum(rate(prometheus_tsdb_head_samples_appended_total[3m]))"))
	row("series in Prometheus", "%.0f", p.query("prometheus_tsdb_head_series"))
	row("resident Prometheus", "%.0f MiB", p.query("process_resident_memory_bytes")/(1<<20))
	row("half of the scrapes took, 99 of 100", "%s, %s", p.took(0.5), p.took(0.99))
}

// news writes a new report every five seconds, as the daemon does. One is read by
// all: each listener does so by itself.
func news(t *testing.T, path string) {
	looks := vitals.Watch(t.Context(), vitals.This())
	looks.Follow(t.Context(), []vitals.Look{vitals.Room(vitals.This(), vitals.Place{Path: "/"})}, nil)
	for t.Context().Err() == nil {
		r := fine()
		r.Time, r.Uptime = time.Now(), health.Uptime()
		for i := range r.Checks {
			r.Checks[i].Time, r.Checks[i].Since = r.Time, night
		}
		r.Numbers.Metrics = numbers(looks.Seen().Families)
		if err := r.Write(path); err != nil && t.Context().Err() == nil {
			t.Error(err)
			return
		}
		time.Sleep(5 * time.Second)
	}
}

// numbers are what the daemon of the machine of fine counts: this machine's own,
// its disks' and file systems' once for each there.
func numbers(own []health.Family) []health.Family {
	places := map[string][]string{"disk": {"nvme0n1", first, second, third, "nvme4n1"}, "path": {"/", "/srv/data", "/srv/files", "/mnt/scratch"}}
	all := make([]health.Family, 0, len(own)+4)
	for _, f := range own {
		for label, names := range places {
			if _, has := f.Samples[0].Labels[label]; !has {
				continue
			}
			one := f.Samples[0].Value
			f.Samples = nil
			for i, name := range names {
				f.Samples = append(f.Samples, health.Sample{Labels: map[string]string{label: name}, Value: one + float64(i)})
			}
		}
		all = append(all, f)
	}
	of := func(name string, kind health.Kind, label string, values ...string) {
		f := health.Family{Name: name, Kind: kind, Help: "As the daemon counts it."}
		for _, disk := range []string{first, second, third} {
			for _, v := range values {
				f.Samples = append(f.Samples, health.Sample{Labels: map[string]string{"volume": "data", "disk": disk, label: v}, Value: 0.0017})
			}
		}
		all = append(all, f)
	}
	of("bootswain_disk_latency_seconds", health.Gauge, "op", "read", "write")
	of("bootswain_disk_latency_baseline_seconds", health.Gauge, "op", "read", "write")
	of("bootswain_disk_degraded", health.Gauge, "volume", "data")
	of("bootswain_disk_ebs_exceeded_seconds_total", health.Counter, "limit", "volume_iops", "volume_throughput", "instance_iops", "instance_throughput")
	return all
}

// spent is the processor's time that one of the fleet has in a second, on average
// over so long.
func spent(t *testing.T, over time.Duration, fleet []server) float64 {
	t.Helper()
	sum := func() (all time.Duration) {
		for _, s := range fleet {
			all += s.ran()
		}
		return all
	}
	begun, before := time.Now(), sum()
	time.Sleep(over)
	return (sum() - before).Seconds() / time.Since(begun).Seconds() / float64(len(fleet))
}

func anonymous(fleet []server) (mean float64) {
	for _, s := range fleet {
		mean += s.memory()["RssAnon:"] / float64(len(fleet))
	}
	return mean
}

// prometheus starts one that asks the fleet, and itself.
func prometheus(t *testing.T, program, rules string, fleet []server) server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at, dir := l.Addr().String(), t.TempDir()
	l.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "global: {scrape_interval: 15s, evaluation_interval: 15s}\nrule_files: [%q]\nscrape_configs:\n", rules)
	fmt.Fprintf(&b, "  - {job_name: self, scrape_interval: 5s, static_configs: [{targets: [%q]}]}\n", at)
	b.WriteString("  - job_name: bootswain\n    scrape_timeout: 5s\n    static_configs:\n")
	for i, s := range fleet {
		fmt.Fprintf(&b, "      - {targets: [%q], labels: {instance: i-%017x}}\n", s.at, i)
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return begin(t, exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+at, "--log.level=warn"), at)
}

// query returns one number that Prometheus makes of those it has.
func (s server) query(expression string) float64 {
	s.t.Helper()
	answer, err := http.Get("http://" + s.at + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var found struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil || len(found.Data.Result) != 1 {
		s.t.Fatalf("%s: %d values, %v", expression, len(found.Data.Result), err)
	}
	v, err := strconv.ParseFloat(fmt.Sprint(found.Data.Result[0].Value[1]), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s server) took(share float64) time.Duration {
	return seconds(s.query(fmt.Sprintf(`quantile(%g, scrape_duration_seconds{job="bootswain"})`, share)), 100*time.Microsecond)
}

func seconds(s float64, to time.Duration) time.Duration {
	return time.Duration(s * 1e9).Round(to)
}
