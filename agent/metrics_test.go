package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"bootswain/health"
	"bootswain/health/latency"
	"bootswain/health/probe"
	"bootswain/health/vitals"
)

// busy is a machine on which each number has something to count.
func busy(t *testing.T) health.Report {
	t.Helper()
	root, now, lag := t.TempDir(), time.Now(), time.Minute
	for path, content := range map[string]string{
		"proc/loadavg": "0.50 0.40 0.30 1/100 1234\n", "proc/uptime": "3600.00 7000.00\n",
		"proc/stat":         "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime 1700000000\n",
		"proc/meminfo":      "MemTotal: 1000 kB\nMemAvailable: 500 kB\nSwapTotal: 100 kB\nSwapFree: 100 kB\n",
		"proc/diskstats":    " 259 0 nvme1n1 10 0 80 5 10 0 80 5 0 10 10 0 0 0 0 0 0\n",
		"proc/pressure/cpu": stalls, "proc/pressure/memory": stalls, "proc/pressure/io": stalls,
		"sys/block/nvme1n1/hidden": "0\n", "sys/block/nvme1n1/device/serial": "vol0a22\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	host := vitals.This()
	host.Proc, host.Sys = filepath.Join(root, "proc"), filepath.Join(root, "sys")
	host.Clock = func() (unix.Timex, error) { return unix.Timex{Maxerror: 2000}, nil }
	looks := vitals.Watch(t.Context(), host)
	looks.Follow(t.Context(), []vitals.Look{
		vitals.Room(vitals.This(), vitals.Place{Path: "/"}),
		asked("app:orders", "orders", time.Hour, "", func(context.Context, time.Time) probe.Answer {
			return probe.Answer{Status: health.Pass, Numbers: map[string]float64{"jobs": 3}}
		}),
	}, nil)
	figures := latency.Figures{Latency: 0.001, Baseline: 0.001}
	seen := latencySeen{disks: []diskSeen{{
		disk: disk{volume: "data", id: "vol-0a22"}, Disk: latency.Disk{Read: figures, Write: figures}, exceeded: &latency.Exceeded{},
	}}}
	r := health.Report{
		Time: now, Checks: []health.Check{{Name: "mount:data", Status: health.Pass, Time: now, Since: now}},
		Steps:   []health.Step{{Name: "data: mount", Start: now}},
		Volumes: []health.Volume{{Name: "data", Devices: []health.Device{{Volume: "vol-0a22"}}}},
		MySQL: &health.MySQL{Status: &health.DB{IO: []health.Latency{{File: "data"}},
			Channels: []health.Channel{{Source: "10.0.0.1:3306", Lag: &lag}}}},
	}
	for range 1000 { // the looks are done in the background
		if r.Numbers.Metrics = append(seen.families(), looks.Seen().Families...); len(r.Numbers.Metrics) >= 30 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return r
}

const stalls = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"

// offered are the numbers of /metrics with their labels, and those that Prometheus
// adds by the scrape configuration that is shipped.
func offered(t *testing.T) map[string]map[string]bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "status.json")
	if err := busy(t).Write(path); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	health.Handler(path, func() time.Duration { return 0 }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	all := map[string]map[string]bool{"up": {}}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(?:{(.*)})? `).FindAllStringSubmatch(w.Body.String(), -1) {
		if all[m[1]] == nil {
			all[m[1]] = map[string]bool{}
		}
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			all[m[1]][l[1]] = true
		}
	}
	for _, labels := range all {
		for _, l := range []string{"instance", "job", "name", "zone"} {
			labels[l] = true
		}
	}
	return all
}

// names returns what is wrong with the names in an expression of PromQL, and in
// the text that is made of its labels.
func names(all map[string]map[string]bool, expression, text string) (wrong []string) {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`\b(up|bootswain\w*)\b(?:{([^}]*)})?`).FindAllStringSubmatch(expression, -1) {
		labels, there := all[m[1]]
		if !there {
			wrong = append(wrong, m[1])
		}
		for _, l := range regexp.MustCompile(`(\w+)\s*(?:=|!)`).FindAllStringSubmatch(m[2], -1) {
			if !labels[l[1]] {
				wrong = append(wrong, m[1]+"{"+l[1]+"}")
			}
		}
		maps.Copy(found, labels)
	}
	if len(found) == 0 {
		wrong = append(wrong, "nothing in "+expression)
	}
	used := regexp.MustCompile(`{{\s*(?:\$labels\.)?(\w+)\s*}}`).FindAllStringSubmatch(text, -1)
	for _, by := range regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`).FindAllStringSubmatch(expression, -1) {
		for l := range strings.SplitSeq(by[1], ", ") {
			used = append(used, []string{"", l})
		}
	}
	for _, l := range used {
		if !found[l[1]] {
			wrong = append(wrong, "label "+l[1]+" of "+expression)
		}
	}
	return wrong
}

// TestNamesOfDashboard: it shows nothing that there is not, and all that Grafana
// needs to load it is there.
func TestNamesOfDashboard(t *testing.T) {
	var d struct {
		Title         string
		SchemaVersion int
		Templating    struct {
			List []struct{ Name, Query, Definition any }
		}
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ RefID, Expr, LegendFormat string }
		}
	}
	decode(t, "../packaging/grafana/bootswain.json", json.Unmarshal, &d)
	if d.SchemaVersion < 39 || d.Title == "" || len(d.Templating.List) != 2 || len(d.Panels) < 30 {
		t.Errorf("%q of schema %d, %d variables, %d panels", d.Title, d.SchemaVersion, len(d.Templating.List), len(d.Panels))
	}
	all := offered(t)
	ids, cells, rows := map[int]bool{}, map[[2]int]string{}, []string(nil)
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q: id %d, at %+v", p.Title, p.ID, p.GridPos)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if cells[at] != "" {
					t.Fatalf("panel %q lies on %q", p.Title, cells[at])
				}
				cells[at] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
		} else if len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			if wrong := names(all, target.Expr, target.LegendFormat); len(wrong) > 0 {
				t.Errorf("panel %q: not offered: %q", p.Title, wrong)
			}
			if !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("panel %q: %s is not of the instances that are chosen", p.Title, target.Expr)
			}
		}
	}
	if got, want := strings.Join(rows, ", "), "State, Checks, Disk latency against what is usual, Storage, Database, System"; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
}

// TestNamesOfAlerts: a rule that names what there is not never fires.
func TestNamesOfAlerts(t *testing.T) {
	var d struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	decode(t, "../packaging/prometheus/alerts.yml", yaml.Unmarshal, &d)
	all := offered(t)
	for _, g := range d.Groups {
		for _, r := range g.Rules {
			if wrong := names(all, r.Expr, fmt.Sprint(slices.Collect(maps.Values(r.Annotations)))); len(wrong) > 0 {
				t.Errorf("%s: not offered: %q", r.Alert, wrong)
			}
		}
	}
	if len(d.Groups) == 0 {
		t.Error("there are no rules")
	}
}

// TestNamesWrong: what the two tests above go by finds what is wrong.
func TestNamesWrong(t *testing.T) {
	all := map[string]map[string]bool{"bootswain_load": {"minutes": true}}
	for expression, want := range map[string]string{
		`bootswain_lod`: "bootswain_lod", `bootswain_load{minute="5"}`: "bootswain_load{minute}", `vector(0)`: "nothing in vector(0)",
		`sum by (minutes, path) (bootswain_load)`: "label path of sum by (minutes, path) (bootswain_load)", `bootswain_load{minutes!~"5"}`: "",
	} {
		if got := names(all, expression, "{{minutes}}"); want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
	if got := names(all, "bootswain_load", "{{ $labels.disk }}"); !slices.Equal(got, []string{"label disk of bootswain_load"}) {
		t.Errorf("an annotation: %q", got)
	}
}

func decode(t *testing.T, path string, unmarshal func([]byte, any) error, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}
