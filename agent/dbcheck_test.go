package agent

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/mysql"
	"bootswain/spec"
	"bootswain/systemd"

	driver "github.com/go-sql-driver/mysql"
)

func refusedBy(number uint16) error {
	return fmt.Errorf("cannot connect: %w", &driver.MySQLError{Number: number, Message: "no"})
}

func TestDatabaseChecks(t *testing.T) {
	second, hour := time.Second, time.Hour
	server := mysql.Server{Unit: "mariadb.service"}
	up := func(change func(*health.DB)) databaseView {
		db := health.DB{Version: "11.8.6-MariaDB", Connections: 3, MaxConnections: 100, CheckpointAge: 1 << 20, CheckpointMax: 100 << 20}
		change(&db)
		return databaseView{server: server, version: db.Version, status: &db}
	}
	source := func(c health.Channel) func(*health.DB) {
		c.Source = "db1:3306"
		return func(db *health.DB) {
			db.Channels = []health.Channel{{Source: "a:1", Receiver: "Yes", Applier: "Yes", Lag: &second}, c}
		}
	}
	const well = "mysql:connections=pass mysql:history=pass mysql:checkpoint=pass"
	for name, c := range map[string]struct {
		view databaseView
		want string
		says string
	}{
		"well":                  {up(func(*health.DB) {}), well, "3 of 100 connections."},
		"many":                  {up(func(db *health.DB) { db.Connections = 80 }), "mysql:connections=warn mysql:history=pass mysql:checkpoint=pass", "80 of 100"},
		"nearly all":            {up(func(db *health.DB) { db.Connections = 95 }), "mysql:connections=fail mysql:history=pass mysql:checkpoint=pass", "95 of 100"},
		"none left":             {databaseView{server: server, unread: refusedBy(1040)}, "mysql:connections=fail", "no connection left"},
		"a long history":        {up(func(db *health.DB) { db.History = 2_000_000 }), "mysql:connections=pass mysql:history=warn mysql:checkpoint=pass", "2000000 transactions"},
		"a full redo":           {up(func(db *health.DB) { db.CheckpointAge = 95 << 20 }), "mysql:connections=pass mysql:history=pass mysql:checkpoint=warn", "95 MiB of redo"},
		"replicates":            {up(source(health.Channel{Receiver: "Yes", Applier: "Yes", Lag: &second})), well + " mysql:replication=pass", "1s behind"},
		"far behind":            {up(source(health.Channel{Receiver: "Yes", Applier: "Yes", Lag: &hour})), well + " mysql:replication=fail", "replicates from db1:3306, 1h0m0s behind."},
		"lag unknown":           {up(source(health.Channel{Receiver: "Yes", Applier: "Yes"})), well + " mysql:replication=warn", "how far behind is not known"},
		"connecting":            {up(source(health.Channel{Receiver: "Connecting", Applier: "Yes", Error: "refused."})), well + " mysql:replication=warn", "not connected: refused."},
		"broken":                {up(source(health.Channel{Receiver: "Yes", Applier: "No", Error: "duplicate"})), well + " mysql:replication=fail", "no more: duplicate."},
		"stopped":               {up(source(health.Channel{Name: "x", Receiver: "No", Applier: "No"})), well + " mysql:replication=warn", "replicates from db1:3306 (x), and is stopped."},
		"no account":            {databaseView{server: server, version: "11.8.6-MariaDB", unread: refusedBy(1045)}, "mysql:status=warn", "IDENTIFIED VIA unix_socket AS 'root'"},
		"no account in MySQL":   {databaseView{server: server, version: "9.7.4", unread: refusedBy(1045)}, "mysql:status=warn", "IDENTIFIED WITH auth_socket AS 'root'"},
		"an older MariaDB":      {databaseView{server: server, version: "10.11.19-MariaDB", unread: refusedBy(1698)}, "mysql:status=pass", "MariaDB 11.6 and later"},
		"hangs":                 {databaseView{server: server, version: "9.7.4", unread: refusedBy(1226)}, "mysql:status=warn", "it hangs"},
		"says its version only": {databaseView{server: server, version: "9.7.4", unread: errors.New("i/o timeout")}, "mysql:status=warn", "did not say how it is"},
		"keeps to itself": {up(func(db *health.DB) {
			db.ReadOnly, db.Channels = true, []health.Channel{{Receiver: "No", Applier: "No"}}
		}), well + " mysql:isolated=pass", "keeps to itself"},
		"acts as another": {up(func(db *health.DB) { db.Events = true }), well + " mysql:isolated=fail", "is to be isolated, but can be written to, runs events."},
		"does not run":    {databaseView{server: server}, "", ""},
	} {
		c.view.isolated = strings.Contains(c.want, "mysql:isolated")
		checks := c.view.checks(time.Now())
		if got := statuses(checks); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		for i := range checks {
			if !checks[i].Quiet && c.view.version != "" {
				t.Errorf("%s: %s is told of when it passes", name, checks[i].Name)
			}
			checks[i].Quiet = false
		}
		if said := health.Sentences(checks); !strings.Contains(said, c.says) {
			t.Errorf("%s: %q, want %q", name, said, c.says)
		}
		for _, check := range checks {
			if check.Status != health.Pass && check.Sentence.Next == "" {
				t.Errorf("%s: %s has no next step", name, check.Name)
			}
		}
	}
}

// TestDatabaseBusy: what people wait for is in the line of systemctl status.
func TestDatabaseBusy(t *testing.T) {
	server := mysql.Server{Unit: "mariadb.service"}
	for name, c := range map[string]struct {
		view       databaseView
		want       string
		wantStatus health.Status
	}{
		"repairs":    {databaseView{server: server, state: systemd.State{Active: "activating"}, recovery: &mysql.Recovery{Percent: 62, Left: 4 * time.Minute}}, "RECOVERING mariadb: InnoDB redo 62 %, about 4m. Do not restart.", health.Warn},
		"stops":      {databaseView{server: server, state: systemd.State{Active: "deactivating", Text: "Waiting to flush 11859 pages"}}, "WAITING mariadb: stops; 11859 pages to write.", health.Fail},
		"stops, too": {databaseView{server: server, version: "9.7", state: systemd.State{Active: "deactivating"}}, "WAITING mariadb: stops.", health.Fail},
	} {
		d := &daemon{asked: true, orders: orders{spec: &spec.Spec{}}, order: []string{"data"}, views: map[string]view{"data": upView()}, database: c.view}
		v := d.views["data"]
		v.mysql = &spec.MySQL{}
		d.views["data"] = v
		if got := d.summary(); !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := d.databaseCheck(v, time.Now()); got.Status != c.wantStatus || got.Sentence.Next == "" {
			t.Errorf("%s: %+v, want %s and a next step", name, got, c.wantStatus)
		}
	}
	gone := databaseView{server: server, version: "9.7", at: time.Now().Add(-time.Minute)}
	if s := gone.sentence(upView().sentence()); !strings.Contains(s.Text, "did not end") {
		t.Errorf("a look that hangs: %v", s)
	}
}

func TestStatusOf(t *testing.T) {
	before := []mysql.IO{{File: "log", Syncs: mysql.Waits{Count: 10, Time: time.Second}}}
	now := []mysql.IO{{File: "log", Syncs: mysql.Waits{Count: 14, Time: 1400 * time.Millisecond}}}
	if io := statusOf(mysql.Status{IO: now}, before, time.Now()).IO[0]; io.Sync != 100*time.Millisecond || io.Calls != 4 {
		t.Errorf("since the look before: %+v", io)
	}
	if io := statusOf(mysql.Status{IO: before}, now, time.Now()).IO[0]; io.Sync != 100*time.Millisecond || io.Calls != 10 {
		t.Errorf("of a server that was restarted: %+v", io)
	}
}

// TestDatabaseDocumented: what docs/mysql.md says of checks, thresholds and the
// account is what holds.
func TestDatabaseDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/mysql.md")
	if err != nil {
		t.Fatal(err)
	}
	dropIn, err := os.ReadFile("../systemd/units/mariadb.service.d/50-bootswain.conf")
	if err != nil || !strings.Contains(string(dropIn), "\nTimeoutStopSec=5min\n") {
		t.Errorf("the time for a stop is another (%v)", err)
	}
	limit := func(check string) spec.Limit {
		return spec.Limits[slices.IndexFunc(spec.Limits, func(l spec.Limit) bool { return l.Check == check })]
	}
	connections, lag := limit("mysql:connections"), limit("mysql:replication")
	for _, want := range []string{
		fmt.Sprintf("| %g %% of `max_connections` | %g %% |", connections.Warn, connections.Fail),
		fmt.Sprintf("| %.0f transactions wait for the purge |", limit("mysql:history").Warn),
		fmt.Sprintf("is %g %% of what makes writers wait", limit("mysql:checkpoint").Warn),
		fmt.Sprintf("it is %s behind, or", time.Duration(lag.Warn)*time.Second), fmt.Sprintf("it is %s behind |", time.Duration(lag.Fail)*time.Second),
		"    " + mysql.AccountSQL(true) + "\n", "    " + mysql.AccountSQL(false) + "\n",
		mysql.SettingsHome + "/my.cnf",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/mysql.md does not say %q", want)
		}
	}
}
