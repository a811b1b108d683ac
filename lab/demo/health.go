package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"bootswain/lab"
)

// checks are what health must answer for on this machine.
var checks = []string{
	"launch-data", "users",
	"volume:" + volumeName, "mount:" + volumeName, "luks:" + volumeName, "md:" + volumeName,
	"mysql",
}

// answer is a health answer, as draft-inadarei-api-health-check forms it.
type answer struct {
	code   int
	Status string                   `json:"status"`
	Checks map[string][]answerCheck `json:"checks"`
}

type answerCheck struct {
	Status string `json:"status"`
	Output string `json:"output"`
}

func parseAnswer(code int, body []byte) (answer, error) {
	a := answer{code: code}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("health: expected a JSON answer; saw %d %.80q", code, body)
	}
	return a, nil
}

// judge returns nil if all is well: everything passes, and nothing that must
// be looked at is missing.
func (a answer) judge() error {
	if name, c, there := a.trouble(); there {
		return fmt.Errorf("health: expected %s to pass; saw %s: %s", name, c.Status, c.Output)
	}
	for _, name := range checks {
		if len(a.Checks[name]) == 0 {
			return fmt.Errorf("health: expected a check %s; saw only %s", name, strings.Join(a.names(), ", "))
		}
	}
	if a.code != http.StatusOK || a.Status != "pass" {
		return fmt.Errorf("health: expected 200 pass; saw %d %s", a.code, a.Status)
	}
	return nil
}

// trouble is the first check that does not pass.
func (a answer) trouble() (name string, c answerCheck, there bool) {
	for _, name := range a.names() {
		for _, c := range a.Checks[name] {
			if c.Status != "pass" {
				return name, c, true
			}
		}
	}
	return "", answerCheck{}, false
}

// names are the checks' names: those that must be there in their order, then
// all others.
func (a answer) names() []string {
	var list []string
	for _, name := range checks {
		if _, there := a.Checks[name]; there {
			list = append(list, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Checks)) {
		if !slices.Contains(checks, name) {
			list = append(list, name)
		}
	}
	return list
}

// ask fetches the health answer once.
func (d *Demo) ask(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	code, body, err := lab.Get(ctx, d.status.Health, "/health")
	if err != nil {
		return answer{}, fmt.Errorf("health: expected an answer; saw none: %w", err)
	}
	return parseAnswer(code, body)
}

// ready asks as a monitor does, again and again, until health passes.
func (d *Demo) ready(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	err := d.Screen.Wait("health to pass", func(tell func(string)) error {
		for {
			a, err := d.ask(limited)
			if err == nil {
				err = a.judge()
			}
			if err == nil {
				return nil
			}
			if _, c, there := a.trouble(); there {
				tell(c.Output)
			}
			select {
			case <-time.After(2 * time.Second):
			case <-limited.Done():
				return errors.Join(ctx.Err(), err)
			}
		}
	})
	if err == nil {
		d.Screen.Pass("health passes, %.1fs after SSH answered", time.Since(began).Seconds())
	}
	return err
}

// health shows one answer in full.
func (d *Demo) health(ctx context.Context) error {
	a, err := d.ask(ctx)
	if err != nil {
		return err
	}
	d.Screen.Line("GET http://%s/health: %d %s", d.status.Health, a.code, a.Status)
	for _, name := range a.names() {
		for _, c := range a.Checks[name] {
			d.Screen.Line("  %-4s  %-14s %s", c.Status, name, c.Output)
		}
	}
	return a.judge()
}
