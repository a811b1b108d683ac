package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"bootswain/lab"
)

// ailment makes a check fail for its true reason, and takes the reason away.
type ailment struct {
	check  string // as in /health
	cause  string
	status string // that it must come to
	says   string // part of its sentence
	make   func() // nil: it was begun before
	mend   func()
}

// patient is a machine that is made ill and well again.
type patient struct {
	*bench
	m     *lab.Machine
	book  *book
	pause time.Duration // between two questions: each costs the guest time

	monitor *tls.Config // with which it is asked; nil: without TLS
}

// book is what all patients have shown.
type book struct {
	mu    sync.Mutex
	seen  map[string]bool // kinds of checks that any answer had
	shown map[string]bool // that failed for their reason and passed again
}

// kind is the check's name as the documentation has it: of several of a kind,
// what stands before the colon.
func kind(check string) string {
	of, _, _ := strings.Cut(check, ":")
	if of == "pressure" || of == "mysql" {
		return check
	}
	return of
}

// script is what root does in the guest.
func (p *patient) script(text string) func() { return func() { p.Helper(); p.sh(p.m, text) } }

// answer is what /health says, which has to be of its draft's form.
func (p *patient) answer(ctx context.Context) (h health, err error) {
	ctx, cancel := context.WithTimeout(ctx, answered)
	defer cancel()
	get := p.m.HTTP
	if p.monitor != nil {
		get = func(ctx context.Context, path string) (int, []byte, error) { return p.m.HTTPS(ctx, p.monitor, path) }
	}
	code, body, err := get(ctx, "/health")
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(body, &h); err != nil {
		return h, fmt.Errorf("/health: %w: %s", err, body)
	}
	if want := map[bool]int{true: http.StatusServiceUnavailable, false: http.StatusOK}[h.Status == "fail"]; code != want {
		p.Errorf("/health: %d with status %s", code, h.Status)
	}
	for _, fault := range drafted(body) {
		p.Errorf("/health is not of the draft's form: %s", fault)
	}
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	c := h.Checks["clock"]
	jumped := len(c) == 1 && strings.Contains(c[0].Output, "jumped by")
	for name, c := range h.Checks {
		p.book.seen[kind(name)] = true
		if jumped && len(c) == 1 && strings.Contains(c[0].Output, "not looked at for") {
			p.Errorf("the clock jumped, and %s: %s", name, c[0].Output)
		}
	}
	return h, nil
}

// wave makes the machine ill in several ways at once, and then well again.
func (p *patient) wave(name string, ailments ...ailment) {
	p.Helper()
	ill := func(h health, a ailment) error {
		c := h.Checks[a.check]
		if len(c) != 1 || c[0].Status != a.status || !strings.Contains(c[0].Output, a.says) {
			return fmt.Errorf("%s is %+v, want %s with %q", a.check, c, a.status, a.says)
		}
		p.step("%s: %s: %s", a.cause, a.status, c[0].Output)
		return nil
	}
	// What has come for hours may be there before it is its turn.
	sound := slices.DeleteFunc(slices.Clone(ailments), func(a ailment) bool { return a.make == nil })
	shown := p.until("all to pass before "+name, sound, passes)
	for _, a := range sound {
		a.make()
	}
	shown = p.until(name, ailments, ill) && shown
	for _, a := range slices.Backward(ailments) {
		a.mend()
	}
	if !p.until("all to pass after "+name, ailments, passes) || !shown {
		return
	}
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	for _, a := range ailments {
		p.book.shown[kind(a.check)] = true
	}
	p.step("%s: mended", name)
}

// sudden are the checks that are not there while there is nothing to say.
var sudden = []string{"swap", "processor", "load", "pressure:cpu", "full-in", "mysql:status", "mysql:replication", "mysql:isolated"}

// passes also holds for those of them that are not there.
func passes(h health, a ailment) error {
	c := h.Checks[a.check]
	if len(c) == 1 && c[0].Status == "pass" || len(c) == 0 && slices.Contains(sudden, kind(a.check)) {
		return nil
	}
	return fmt.Errorf("%s is %+v, want pass", a.check, c)
}

// In the host's time, for the sake of slow hosts.
const (
	patience = 10 * time.Minute
	answered = 30 * time.Second // of one question
)

// until asks for health again and again until each ailment was once as holds
// wants it, and says whether that came.
func (p *patient) until(what string, ailments []ailment, holds func(health, ailment) error) bool {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(p.pause)
	defer tick.Stop()
	for left := slices.Clone(ailments); ; {
		h, err := p.answer(ctx)
		if err == nil {
			left = slices.DeleteFunc(left, func(a ailment) bool {
				missing := holds(h, a)
				err = errors.Join(err, missing)
				return missing == nil
			})
		}
		if err == nil {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.Errorf("cannot wait for %s any longer: %v", what, err)
			return false
		}
	}
}

// apply gives the machine other launch data, as a person does.
func (p *patient) apply(document []byte, code int) {
	p.Helper()
	must(p, p.m.WriteFile(p.ctx, "/root/health.yaml", document, 0o600))
	out, err := p.m.Run(p.ctx, "bootswain", "apply", "--from", "/root/health.yaml")
	must(p, err)
	if out.Code != code {
		p.Fatalf("apply: exit status %d, want %d: %s%s", out.Code, code, out.Stdout, out.Stderr)
	}
}

// Keys and forms of draft-inadarei-api-health-check-06, and ours beside them.
// https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06
var (
	draftTop   = []string{"status", "version", "releaseId", "serviceId", "notes", "output", "checks", "links", "description"}
	draftCheck = []string{"componentId", "componentType", "observedValue", "observedUnit", "status", "affectedEndpoints", "time", "output", "links", "since", "next"}
)

// drafted says what of an answer is not as the draft wants it.
func drafted(body []byte) (faults []string) {
	var top map[string]json.RawMessage
	var checks map[string][]map[string]any
	if err := json.Unmarshal(body, &top); err != nil {
		return []string{err.Error()}
	}
	if err := json.Unmarshal(top["checks"], &checks); err != nil {
		return []string{"checks: " + err.Error()}
	}
	bad := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	known := func(where string, keys, allowed []string) {
		for _, k := range keys {
			if !slices.Contains(allowed, k) {
				bad("%s: %s is no key", where, k)
			}
		}
	}
	statuses := []any{"pass", "warn", "fail"}
	known("top", slices.Collect(maps.Keys(top)), draftTop)
	for k, v := range top {
		var text string
		if err := json.Unmarshal(v, &text); k != "checks" && err != nil || k == "status" && !slices.Contains(statuses, any(text)) {
			bad("%s is %s", k, v)
		}
	}
	if at := strings.Index(string(body), `"status"`); at < 0 || at > 500 {
		bad("status is not within the first 512 bytes")
	}
	for name, list := range checks {
		if len(list) == 0 {
			bad("%s is empty", name)
		}
		for _, c := range list {
			known(name, slices.Collect(maps.Keys(c)), draftCheck)
			if !slices.Contains(statuses, c["status"]) {
				bad("%s: status %v", name, c["status"])
			}
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(c["time"])); err != nil {
				bad("%s: time: %v", name, err)
			}
			_, number := c["observedValue"].(float64)
			if v, there := c["observedValue"]; there && !number {
				bad("%s: observedValue %v", name, v)
			}
			output, said := c["output"].(string)
			if said == (c["status"] == "pass") || said && output == "" {
				bad("%s: %v with output %q", name, c["status"], output)
			}
			if next, told := c["next"].(string); c["status"] != "pass" && (!told || next == "") {
				bad("%s: says not what to do: %s", name, output)
			}
		}
	}
	return faults
}

// listedChecks are the kinds of checks that the documentation's tables list.
func (b *bench) listedChecks() map[string]bool {
	kinds := map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| ((?:`[a-z:A-Z-]+`(?:, )?)+) \\|")
	for page, heading := range map[string]string{"../docs/health.md": "## Checks", "../docs/mysql.md": "## How the server is"} {
		text, err := os.ReadFile(page)
		must(b, err)
		_, part, found := strings.Cut(string(text), heading+"\n")
		part, _, _ = strings.Cut(part, "\n## ")
		if !found {
			b.Fatalf("%s has no %q", page, heading)
		}
		for _, m := range row.FindAllStringSubmatch(part, -1) {
			for _, name := range strings.Split(m[1], ", ") {
				kinds[kind(strings.Trim(name, "`"))] = true
			}
		}
	}
	return kinds
}
