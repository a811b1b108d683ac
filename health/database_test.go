package health

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestDatabaseTable(t *testing.T) {
	lag := time.Second
	got := MySQL{Server: "mysql", Volume: "data", Directory: "/var/lib/mysql", Status: &DB{
		Version: "9.7.4", Uptime: time.Hour, Connections: 2, MaxConnections: 151, ReadOnly: true, SuperReadOnly: true,
		IO:       []Latency{{File: "log", Sync: 1234 * time.Microsecond, Calls: 7}},
		Channels: []Channel{{Source: "db1:3306", Receiver: "Yes", Applier: "Yes", Lag: &lag}},
	}}.Table()
	for _, want := range []string{"connections      2 of 151\n", "yes, for administrators too", "sync 1.23ms, 7 calls", "receiver Yes, applier Yes, behind 1s"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "purged") {
		t.Errorf("what there is nothing of is shown:\n%s", got)
	}
}

// TestDatabaseMetrics: the project's own linter finds nothing to say.
func TestDatabaseMetrics(t *testing.T) {
	lag := time.Minute
	r := sample()
	r.MySQL = &MySQL{Status: &DB{
		Version: "9.7.4", MaxConnections: 151,
		IO:       []Latency{{File: "log", Sync: time.Millisecond}},
		Channels: []Channel{{Source: "db1:3306", Name: "a", Receiver: "Connecting", Applier: "Yes", Lag: &lag}},
	}}
	text := string(exposition(families(r, r.Checks), false))
	problems, err := promlint.New(bytes.NewReader([]byte(text))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v: %v", problems, err)
	}
	for _, want := range []string{
		"bootswain_mysql_connections_limit 151\n", `bootswain_mysql_io_latency_seconds{call="sync",file="log"} 0.001`,
		`bootswain_mysql_replication_lag_seconds{channel="a",source="db1:3306"} 60`,
		`bootswain_mysql_replication_running{channel="a",source="db1:3306",thread="receiver"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
