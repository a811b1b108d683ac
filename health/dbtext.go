package health

import (
	"fmt"
	"html"
	"strings"
	"text/tabwriter"
	"time"
)

// Table is what the server says of itself, a line each; "" if it says nothing.
func (m MySQL) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, l := range m.lines() {
		fmt.Fprintf(w, "%s\t%s\n", l[0], l[1])
	}
	_ = w.Flush() // into memory
	return strings.TrimSuffix(b.String(), "\n")
}

// writeDatabase puts the same on the page.
func writeDatabase(b *strings.Builder, m *MySQL) {
	if m == nil || m.Status == nil {
		return
	}
	b.WriteString("<section><h2>Database</h2>\n<dl>\n")
	for _, l := range m.lines() {
		fmt.Fprintf(b, "<dt>%s</dt><dd>%s</dd>\n", html.EscapeString(l[0]), html.EscapeString(l[1]))
	}
	b.WriteString("</dl></section>\n")
}

// lines are names, each with what there is to say of it.
func (m MySQL) lines() (all [][2]string) {
	db := m.Status
	if db == nil {
		return nil
	}
	line := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			all = append(all, [2]string{name, text})
		}
	}
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
	return all
}

func readOnly(db *DB) string {
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
