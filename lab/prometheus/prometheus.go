// Package prometheus is what the laboratory says to Debian's Prometheus and
// asks of it: its configuration, which alerts are there, what a number is.
//
// It asks one server over HTTP and changes nothing there. Times are durations;
// errors say what was asked.
package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Every is how often machines are asked, and the rules looked at: much more often
// than the scrape configuration that is shipped, so that tests need not wait.
const Every = 2 * time.Second

// Config is Prometheus's configuration: the file of rules, and the machines by
// their names with the addresses where they answer. They have the labels that the
// scrape configuration that is shipped gives them.
func Config(rules string, machines map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global: {scrape_interval: %s, evaluation_interval: %[1]s}\nrule_files: [%q]\n", Every, rules)
	b.WriteString("scrape_configs:\n  - job_name: bootswain\n    static_configs:\n")
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		fmt.Fprintf(&b, "      - {targets: [%q], labels: {instance: %q}}\n", machines[name], name)
	}
	return b.String()
}

// Server is a Prometheus by the address where it listens, "127.0.0.1:9090".
type Server string

// Alert is an alert that is there: one that fires, or will if it lasts.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	State       string            `json:"state"` // "pending" or "firing"
}

// Ready returns why the server does not answer questions yet.
func (s Server) Ready(ctx context.Context) error {
	return s.get(ctx, "/-/ready", nil)
}

// Alerts returns the alerts that are there.
func (s Server) Alerts(ctx context.Context) ([]Alert, error) {
	var found struct {
		Data struct {
			Alerts []Alert `json:"alerts"`
		} `json:"data"`
	}
	err := s.get(ctx, "/api/v1/alerts", &found)
	return found.Data.Alerts, err
}

// Query returns the present values of what an expression selects.
func (s Server) Query(ctx context.Context, expression string) ([]float64, error) {
	var found struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"` // Unix time, and the value as text
			} `json:"result"`
		} `json:"data"`
	}
	if err := s.get(ctx, "/api/v1/query?query="+url.QueryEscape(expression), &found); err != nil {
		return nil, err
	}
	var values []float64
	for _, r := range found.Data.Result {
		v, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, fmt.Errorf("cannot read what Prometheus says of %s: %w", expression, err)
		}
		values = append(values, v)
	}
	return values, nil
}

// get reads a JSON answer into found, unless that is nil.
func (s Server) get(ctx context.Context, path string, found any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(s)+path, nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("cannot ask Prometheus: %w", err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("cannot ask Prometheus for %s: %s", path, a.Status)
	}
	if found == nil {
		return nil
	}
	if err := json.NewDecoder(a.Body).Decode(found); err != nil {
		return fmt.Errorf("cannot read Prometheus's answer to %s: %w", path, err)
	}
	return nil
}
