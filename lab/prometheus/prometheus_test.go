package prometheus

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	got := Config("/rules.yml", map[string]string{"i-2": "127.0.0.1:2", "i-1": "127.0.0.1:1"})
	want := `global: {scrape_interval: 2s, evaluation_interval: 2s}
rule_files: ["/rules.yml"]
scrape_configs:
  - job_name: bootswain
    static_configs:
      - {targets: ["127.0.0.1:1"], labels: {instance: "i-1"}}
      - {targets: ["127.0.0.1:2"], labels: {instance: "i-2"}}
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestAnswers(t *testing.T) {
	answers := map[string]string{
		"/api/v1/alerts":               `{"status":"success","data":{"alerts":[{"labels":{"alertname":"A"},"state":"pending"}]}}`,
		"/api/v1/query?query=up":       `{"data":{"result":[{"metric":{},"value":[1.5,"0.25"]}]}}`,
		"/api/v1/query?query=nothing":  `{"data":{"result":[]}}`,
		"/api/v1/query?query=rubbish":  `{"data":{"result":[{"value":[1,"x"]}]}}`,
		"/api/v1/query?query=half+way": `{"data":`,
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.RequestURI()]
		if !ok {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer web.Close()
	s := Server(strings.TrimPrefix(web.URL, "http://"))

	if alerts, err := s.Alerts(t.Context()); err != nil || len(alerts) != 1 || alerts[0].Labels["alertname"] != "A" || alerts[0].State != "pending" {
		t.Errorf("alerts: %+v, %v", alerts, err)
	}
	if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("not ready: %v", err)
	}
	for _, tc := range []struct {
		ask, wrong string
		want       []float64
	}{
		{ask: "up", want: []float64{0.25}},
		{ask: "nothing"},
		{ask: "rubbish", wrong: "invalid syntax"},
		{ask: "half way", wrong: "cannot read Prometheus's answer"},
	} {
		got, err := s.Query(t.Context(), tc.ask)
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.wrong == "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%s: %v, %v", tc.ask, got, err)
		}
	}
}

// TestRulesShipped: the rules that are shipped pass their tests, and promtool finds
// what is wrong.
func TestRulesShipped(t *testing.T) {
	if _, err := Tool("promtool"); err != nil {
		t.Skip("promtool is not there; make test unpacks it")
	}
	if err := CheckRules(t.Context(), "../../packaging/prometheus/alerts_test.yml"); err != nil {
		t.Error(err)
	}
	if err := Lint(t.Context(), []byte("# HELP up_total x\n# TYPE up_total gauge\nup_total 1\n")); err == nil || !strings.Contains(err.Error(), `non-counter metrics should not have "_total" suffix`) {
		t.Errorf("a gauge called as a counter: %v", err)
	}
}
