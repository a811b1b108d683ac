package agent

import (
	"encoding/json"
	"slices"
	"strings"

	"bootswain/health"
	"bootswain/internal/situation"
)

// DatabaseStatus prints how the database server is, as the daemon saw it last.
// It returns the situations that are not well as Status does.
func (a *Agent) DatabaseStatus(asJSON bool) error {
	report, daemon := health.Latest(statusFile, health.Uptime())
	if report == nil || daemon.Status != health.Pass {
		return daemon.Sentence.Situation()
	}
	if report.MySQL == nil {
		return &situation.Situation{
			Word: situation.Failed, Subject: "mysql", Text: "the launch data names no volume for a database.",
			Next: "systemctl status mariadb mysql; to have it kept: mysql: {volume: NAME} in the launch data",
		}
	}
	checks := slices.DeleteFunc(slices.Clone(report.Checks), func(c health.Check) bool {
		return c.Name != "mysql" && !strings.HasPrefix(c.Name, "mysql:")
	})
	if asJSON {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"mysql": report.MySQL, "checks": checks}); err != nil {
			return err
		}
		return told(checks)
	}
	for i, c := range checks {
		checks[i].Quiet = c.Quiet && report.MySQL.Status != nil // else it says why there is no table
	}
	a.say("%s", strings.TrimSuffix(health.Sentences(checks), "\n"))
	if report.MySQL.Status != nil {
		a.say("\n%s", report.MySQL.Table())
	}
	return told(checks)
}
