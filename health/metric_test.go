package health

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestMetricsLint: the project's own linter finds nothing to say.
func TestMetricsLint(t *testing.T) {
	r := sample()
	r.Numbers.Metrics = []Family{{Name: "bootswain_filesystem_free_bytes", Kind: Gauge, Help: `Free space; "\" is escaped.`,
		Samples: []Sample{{map[string]string{"path": "/srv/a \"b\"\\\nc"}, 1e12}}}}
	problems, err := promlint.New(bytes.NewReader(exposition(families(r, r.Checks), false))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestExposition(t *testing.T) {
	list := []Family{
		{Name: "a_total", Kind: Counter, Help: "Of \"a\".\nMore.", Samples: []Sample{
			{map[string]string{"y": "2", "x": "a\"\\\n\xff"}, 3}, {nil, 0.5}, {nil, 1e21},
		}},
	}
	const sample = "a_total{x=\"a\\\"\\\\\\n\uFFFD\",y=\"2\"} 3\na_total 1e+21\n"
	if got, want := string(exposition(list, false)), "# HELP a_total Of \"a\".\\nMore.\n# TYPE a_total counter\n"+sample; got != want {
		t.Errorf("text\n%s\nwant\n%s", got, want)
	}
	if got, want := string(exposition(list, true)), "# HELP a Of \\\"a\\\".\\nMore.\n# TYPE a counter\n"+sample+"# EOF\n"; got != want {
		t.Errorf("OpenMetrics\n%s\nwant\n%s", got, want)
	}
}

// TestAged: what nobody looks at any more fails by itself, alone.
func TestAged(t *testing.T) {
	r := sample()
	r.Checks[1].Time = noon.Add(-MaxAge + time.Second)
	r.Checks[2].MaxAge = time.Hour
	r.Checks[2].Time = noon.Add(-59 * time.Minute)
	var now time.Duration
	s := &source{path: stored(t, r), uptime: func() time.Duration { return now }}
	state := func() string {
		_, checks := s.current()
		var list []string
		for _, c := range checks {
			list = append(list, string(c.Status))
		}
		return strings.Join(list, " ")
	}
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{0, "pass pass pass warn"}, {2 * time.Second, "pass pass fail warn"}, {0, "pass pass pass warn"},
		{MaxAge + time.Second, "fail fail fail warn"}, {2 * time.Minute, "fail fail fail fail"}, {-time.Hour, "fail fail fail warn"},
	} {
		if now = tt.after; state() != tt.want {
			t.Errorf("after %s: %s, want %s", tt.after, state(), tt.want)
		}
	}
	now = 2 * time.Second
	if _, checks := s.current(); !strings.HasPrefix(checks[2].Sentence.Text, "not looked at for 31s; it was: READY data: mounted") {
		t.Errorf("it says %q", checks[2].Sentence.Text)
	}
}

// TestSourceReadsOnce: as long as the report is the same, it is not read again;
// a new one is seen at once.
func TestSourceReadsOnce(t *testing.T) {
	path := stored(t, sample())
	s := &source{path: path, uptime: func() time.Duration { return 0 }}
	made := 0
	get := func() {
		s.body("x", false, func(Report, []Check) []byte { made++; return nil })
	}
	get()
	get()
	if made != 1 {
		t.Errorf("made %d times for one report", made)
	}
	r := sample()
	r.Release = "0.2.0"
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	get()
	if got, _ := s.current(); made != 2 || got.Release != "0.2.0" {
		t.Errorf("made %d times for two reports, the last of %s", made, got.Release)
	}
}

func TestPage(t *testing.T) {
	r := sample()
	r.Checks[0].Sentence.Text = `<script>alert("&")</script>`
	r.Checks[2].Since = noon.Add(-7 * time.Minute)
	r.Steps = append(r.Steps, Step{"data: grow the mapping", noon.Add(time.Hour), 2 * time.Second})
	r.Numbers.Series = []Series{{Name: "latency:data", Title: "vol-0a11 of data: write latency", Unit: "seconds", Start: noon.Add(-time.Hour),
		Step: 20 * time.Minute, Values: []float64{0.001, -1, 0.009, 0.010}, Baseline: []float64{0.001, 0.001, 0.001, 0.001}}}
	html := string(page(r, r.Checks))
	for _, want := range []string{
		"<title>warn: i-0abc</title>", "&lt;script&gt;alert(", "1 warn, 2 checks pass; mariadb on data; as of 2026-11-22 12:00:00 UTC",
		`<li class="d2"><span>raid0</span> <span>/dev/md127</span> <span>clean</span> </li>`, `<li class="d1 lost"><span>vol-0a44</span> <span>missing</span> </li>`,
		"<small>for 7 minutes, since 2026-11-22 11:53:00 UTC</small><span><i>next:</i> nothing; continues by itself</span>",
		`10 ms, usually 1 ms</span>`, `<path class="value" d="M0.0 90.0h0M666.7 10.0h0L1000.0 0.0"/>`,
		`<rect x="111.1" width="888.9" height="8"/>`, "in 9 s</p>", "from 2026-11-22 13:00:00 UTC, in 2 s</p>",
		`<th scope="row">mount:data</th><td>pass</td>`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in\n%s", want, html)
		}
	}
}

// TestStatusComesFirst: a load balancer may read 512 bytes and no more.
func TestStatusComesFirst(t *testing.T) {
	body := document(sample(), sample().Checks)
	if !bytes.Contains(body[:min(512, len(body))], []byte(`"status": "warn"`)) {
		t.Errorf("%s", body)
	}
}
