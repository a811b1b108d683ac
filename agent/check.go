package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"bootswain/health"
)

// The exit codes of check alone, by the convention of Nagios.
// https://nagios-plugins.org/doc/guidelines.html#AEN78
const (
	nagiosOK = iota
	nagiosWarning
	nagiosCritical
	nagiosUnknown
)

// nagiosError is what check has already printed; only its exit code is left.
type nagiosError int

func (e nagiosError) Error() string { return fmt.Sprintf("check exits with %d", int(e)) }

// Check says how things are in the way that Nagios, Icinga and their like
// understand: one line, more below it, and the exit code. names picks checks;
// that of the daemon itself is always among them.
func (a *Agent) Check(names []string) error {
	report, daemon := health.Latest(statusFile, health.Uptime())
	checks := []health.Check{daemon}
	if report != nil {
		checks = append(checks, report.Checks...)
	}
	text, code := nagios(checks, names)
	a.say("%s", text)
	if code == nagiosOK {
		return nil
	}
	return nagiosError(code)
}

// nagios is what check prints, and its exit code.
func nagios(checks []health.Check, names []string) (text string, code int) {
	for _, name := range names {
		if !slices.ContainsFunc(checks, func(c health.Check) bool { return c.Name == name }) && checks[0].Status == health.Pass {
			return fmt.Sprintf("BOOTSWAIN UNKNOWN - there is no check %q", name), nagiosUnknown
		}
	}
	var bad []health.Check
	var data []string
	passing := 0
	for i, c := range checks {
		if i > 0 && len(names) > 0 && !slices.Contains(names, c.Name) {
			continue
		}
		if c.Value != nil {
			data = append(data, fmt.Sprintf("'%s'=%g%s", strings.ReplaceAll(c.Name, "=", "_"), *c.Value, nagiosUnits[c.Unit]))
		}
		if c.Status == health.Pass {
			passing++
			continue
		}
		bad = append(bad, c)
	}
	words := []string{nagiosOK: "OK", nagiosWarning: "WARNING", nagiosCritical: "CRITICAL"}
	switch {
	case len(bad) == 0:
	case health.Worst(bad) == health.Warn:
		code = nagiosWarning
	default:
		code = nagiosCritical
	}
	slices.SortStableFunc(bad, func(a, b health.Check) int { return strings.Compare(string(a.Status), string(b.Status)) })
	first := fmt.Sprintf("%d checks pass", passing)
	if len(bad) > 0 {
		first = bad[0].Sentence.Situation().Error()
	}
	text = "BOOTSWAIN " + words[code] + " - " + strings.ReplaceAll(first, "|", "/")
	if len(data) > 0 {
		text += " | " + strings.Join(data, " ")
	}
	if len(bad) > 0 {
		text += "\n" + strings.ReplaceAll(strings.TrimSuffix(health.Sentences(bad), "\n"), "|", "/")
	}
	return text, code
}

// nagiosUnits are the units of measurement that Nagios knows; others it has none
// for.
var nagiosUnits = map[string]string{"percent": "%", "seconds": "s", "bytes": "B"}

// isNagios returns the exit code of check, if err is its.
func isNagios(err error) (code int, ok bool) {
	e, ok := errors.AsType[nagiosError](err)
	return int(e), ok
}
