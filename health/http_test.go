package health

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/internal/situation"
)

func ask(t *testing.T, path string, uptime time.Duration, method, target, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	Handler(path, func() time.Duration { return uptime }).ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	waiting := stored(t, sample())
	numbers := sample()
	numbers.Numbers.Metrics = []Family{{Name: "bootswain_a", Kind: Gauge, Help: "A.", Samples: []Sample{{Value: 7}}}}
	counting := stored(t, numbers)
	good := sample()
	good.Checks = good.Checks[:2]
	ready := stored(t, good)
	bad := sample()
	bad.Checks = append(bad.Checks, CheckOf("mysql", &situation.Situation{Word: situation.Held, Subject: "mariadb", Text: "no volume", Next: "attach it"}, noon))
	failing := stored(t, bad)
	none := filepath.Join(t.TempDir(), "none")
	const text, jsonType = "text/plain; charset=utf-8", "application/health+json"
	for _, tt := range []struct {
		name, path, method, target, accept string
		later                              time.Duration
		code                               int
		kind, body                         string // body is a part of it
	}{
		{"livez", none, "GET", "/livez", "", 0, 200, text, "ok\n"},
		{"readyz", ready, "GET", "/readyz", "", 0, 200, text, "ok\n"},
		{"readyz while something waits", waiting, "GET", "/readyz", "", 0, 503, text, "WAITING logs: 1 of 2 volumes"},
		{"readyz without a report", none, "GET", "/readyz", "", 0, 503, text, "FAILED daemon: no news since the machine started"},
		{"health", ready, "GET", "/health", "", 0, 200, jsonType, "{\n  \"status\": \"pass\","},
		{"health while something waits", waiting, "GET", "/health", "", 0, 200, jsonType, "{\n  \"status\": \"warn\","},
		{"health fails", failing, "GET", "/health", "", 0, 503, jsonType, "HELD mariadb: no volume"},
		{"old news", ready, "GET", "/health", "", time.Minute, 503, jsonType, "FAILED daemon: no news for 1m0s"},
		{"no news", none, "GET", "/health", "", 0, 503, jsonType, "FAILED daemon: no news since the machine started"},
		{"text by query", failing, "GET", "/health?format=text", "", 0, 503, text, "HELD mariadb: no volume\n  next: attach it\n"},
		{"text by header", ready, "GET", "/health", "text/plain", 0, 200, text, "READY data: mounted on /srv/data\n"},
		{"json by query against the header", ready, "GET", "/health?format=json", "text/plain", 0, 200, jsonType, "pass"},
		{"one check", failing, "GET", "/health?check=volume:data", "", 0, 200, jsonType, `"volume:data"`},
		{"two checks", failing, "GET", "/health?check=volume:data&check=mysql", "", 0, 503, jsonType, `"mysql"`},
		{"a check of old news", ready, "GET", "/health?check=volume:data", "", time.Minute, 503, jsonType, "no news"},
		{"a check without news", none, "GET", "/health?check=mysql", "", 0, 503, jsonType, "no news"},
		{"an unknown check", ready, "GET", "/health?check=volume:dta", "", 0, 404, text, "there is no check \"volume:dta\"\n"},
		{"head", ready, "HEAD", "/health", "", 0, 200, jsonType, ""},
		{"post", ready, "POST", "/health", "", 0, 405, text, "Method Not Allowed"},
		{"elsewhere", ready, "GET", "/else", "", 0, 404, text, "not found"},
		{"page", failing, "GET", "/", "text/html,*/*;q=0.8", 0, 200, "text/html; charset=utf-8", "<section class=\"said fail\">\n<p><b>HELD</b> mariadb: no volume"},
		{"page without a report", none, "GET", "/", "text/html", 0, 200, "text/html; charset=utf-8", "no news since the machine started"},
		{"page of a terminal", ready, "GET", "/", "*/*", 0, 200, text, "└─ luks  bootswain-data"},
		{"metrics", failing, "GET", "/metrics", "", 0, 200, promText, "bootswain_check_status{check=\"mysql\"} 2\n"},
		{"metrics of the report's own", counting, "GET", "/metrics", "", 0, 200, promText, "bootswain_a 7\n"},
		{"metrics of old news", ready, "GET", "/metrics", "", time.Minute, 200, promText, "bootswain_status 2\n"},
		{"OpenMetrics", ready, "GET", "/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", 0, 200, openMetrics, "# EOF\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(t, tt.path, tt.later, tt.method, tt.target, tt.accept)
			if w.Code != tt.code || w.Header().Get("Content-Type") != tt.kind || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("%d %s\n%s\nwant %d %s with %q", w.Code, w.Header().Get("Content-Type"), w.Body, tt.code, tt.kind, tt.body)
			}
			if w.Code < 400 && w.Header().Get("Cache-Control") != "no-store" {
				t.Error("the answer may be cached")
			}
		})
	}
}

func TestHealthDocument(t *testing.T) {
	w := ask(t, stored(t, sample()), 0, "GET", "/health", "")
	var d struct {
		Status, Version, ReleaseID, ServiceID, Output string
		Checks                                        map[string][]map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Status != "warn" || d.Version != "1" || d.ReleaseID != "0.1.0" || d.ServiceID != "i-0abc" ||
		d.Output != "WAITING logs: 1 of 2 volumes; vol-0a44 missing 7m\n  next: nothing; continues by itself" {
		t.Errorf("document %+v", d)
	}
	if len(d.Checks) != 4 {
		t.Errorf("%d checks, want the report's three and the daemon's", len(d.Checks))
	}
	mount := d.Checks["mount:data"][0]
	if mount["observedValue"] != 42.5 || mount["observedUnit"] != "percent" || mount["output"] != nil {
		t.Errorf("mount:data is %v", mount)
	}
	logs := d.Checks["volume:logs"][0]
	if logs["output"] != "WAITING logs: 1 of 2 volumes; vol-0a44 missing 7m" || logs["next"] != "nothing; continues by itself" || logs["status"] != "warn" {
		t.Errorf("volume:logs is %v", logs)
	}
}

// TestDocumentLines: a check is a line, and those of one name are one list.
func TestDocumentLines(t *testing.T) {
	nan := math.NaN()
	checks := []Check{{Name: "b", Status: Pass}, {Name: `a"<`, Status: Pass}, {Name: "b", Status: Warn}}
	const want = `{
  "status": "warn",
  "version": "1",
  "releaseId": "0.1.0",
  "output": ":",
  "checks": {
    "a\"\u003c": [{"status":"pass","componentType":"system","time":"0001-01-01T00:00:00Z"}],
    "b": [{"status":"pass","componentType":"system","time":"0001-01-01T00:00:00Z"}, {"status":"warn","componentType":"system","time":"0001-01-01T00:00:00Z","output":" : "}]
  }
}
`
	if got := string(document(Report{Release: "0.1.0"}, checks)); got != want {
		t.Errorf("got %s", got)
	}
	checks[0].Value = &nan
	if got := document(Report{}, checks); !bytes.Equal(got, unable) {
		t.Errorf("a measurement that is no number: %s", got)
	}
}

// TestEmptyReport: to have looked at nothing is not to be well.
func TestEmptyReport(t *testing.T) {
	r := sample()
	r.Checks = nil
	if w := ask(t, stored(t, r), 0, "GET", "/readyz", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a report without checks: %d %s", w.Code, w.Body)
	}
}
