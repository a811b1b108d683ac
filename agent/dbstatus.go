package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
)

// DatabaseStatus prints how the database server is, as the daemon saw it last.
// It returns the situations that are not well as Status does.
func (a *Agent) DatabaseStatus(asJSON bool) error {
	report, daemon := health.Latest(statusFile, time.Now())
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
	a.say("%s", strings.TrimSuffix(health.Sentences(checks), "\n"))
	if report.MySQL.Status != nil {
		a.say("\n%s", databaseTable(*report.MySQL))
	}
	return told(checks)
}

// databaseTable is what a server says of itself, a line each.
func databaseTable(m health.MySQL) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	db := m.Status
	line("server", "%s %s", m.Server, db.Version)
	line("data", "%s, volume %s", m.Directory, m.Volume)
	line("up for", "%s", db.Uptime)
	line("connections", "%d of %d", db.Connections, db.MaxConnections)
	line("history list", "%d transactions", db.History)
	line("checkpoint", "%d of %d MiB of redo behind", db.CheckpointAge>>20, db.CheckpointMax>>20)
	line("not written yet", "%d pages", db.DirtyPages)
	line("read-only", "%s", readOnly(db))
	for _, io := range db.IO {
		line(io.File+" files", "read %s, write %s, sync %s, %d calls", brief(io.Read), brief(io.Write), brief(io.Sync), io.Calls)
	}
	line("server id", "%s", db.UUID)
	line("transactions", "%s", db.GTID.Executed)
	line("purged", "%s", db.GTID.Purged)
	line("in the binary log", "%s", db.GTID.Binlog)
	line("applied", "%s", db.GTID.Replica)
	for _, c := range db.Channels {
		lag := "unknown"
		if c.Lag != nil {
			lag = c.Lag.String()
		}
		line("replicates from", "%s %s  receiver %s, applier %s, behind %s", c.Source, c.Name, c.Receiver, c.Applier, lag)
		line("received", "%s", c.GTID)
	}
	_ = w.Flush() // into memory
	return strings.TrimSuffix(b.String(), "\n")
}

func readOnly(db *health.DB) string {
	switch {
	case db.SuperReadOnly:
		return "yes, for administrators too"
	case db.ReadOnly:
		return "yes"
	}
	return "no"
}

// brief is a latency to three digits or so.
func brief(d time.Duration) string {
	if d < time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
