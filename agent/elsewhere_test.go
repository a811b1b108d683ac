package agent

import (
	"strings"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/mysql"
	"bootswain/spec"
	"bootswain/systemd"
)

const elsewhereDocument = soundUser + `volumes:
  data: {ebs: {devices: [/dev/sdf]}, mount: /srv/data}
  logs: {ebs: {devices: [/dev/sdg]}, mount: /srv/logs}
mysql: {volume: data, redo_log: logs, tmpdir: logs}
`

// TestApart: a database whose redo log is on another volume, as that one comes and
// goes.
func TestApart(t *testing.T) {
	asked := read(launch.Data{Given: true, UserData: []byte(elsewhereDocument)})
	if asked.err != nil {
		t.Fatal(asked.err)
	}
	parts := elsewhere(asked.spec.MySQL)
	if want := (mysql.Elsewhere{Part: mysql.RedoLog, Volume: "logs", Mount: "/srv/logs"}); len(parts) != 2 || parts[0] != want {
		t.Fatalf("the database has %+v elsewhere, want %+v first", parts, want)
	}
	wanted := func(name string) spec.Volume {
		v, err := asked.volume(name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	data := view{want: wanted("data"), mysql: asked.spec.MySQL, passed: true}
	brought := data
	brought.trouble = situation.Of(parts[0].Apart("mariadb"))
	newer := data
	newer.trouble = &situation.Situation{Word: situation.Held, Subject: "mariadb", Text: "data written by 11.9.1."}
	missing := data
	missing.trouble = &situation.Situation{Word: situation.Waiting, Subject: "data", Text: "0 of 1 volumes."}
	logs := view{want: wanted("logs"), passed: true}
	lost := logs
	lost.trouble = &situation.Situation{Word: situation.Failed, Subject: "logs", Text: "vol-0a44 lost."}
	looking := view{want: wanted("logs")}
	for name, c := range map[string]struct {
		data, logs view
		says       string // the check of the database
		settled    bool
	}{
		"all up":                      {data, logs, "READY mariadb: answers, version 11.8.6.", true},
		"lost":                        {data, lost, "HELD mariadb: FAILED logs: vol-0a44 lost.", true},
		"lost, and the data knows it": {brought, lost, "HELD mariadb: FAILED logs: vol-0a44 lost.", true},
		"it came just now":            {brought, logs, "HELD mariadb: volume logs, where its redo log is, is not mounted.", false},
		"not looked at yet":           {brought, looking, "HELD mariadb: WORKING logs: being looked at.", false},
		"both are away":               {missing, lost, "HELD mariadb: WAITING data: 0 of 1 volumes.", true},
		"another cause":               {newer, logs, "HELD mariadb: data written by 11.9.1.", true},
	} {
		d := &daemon{
			asked: true, discovered: true, orders: asked, keepers: map[string]*keeper{"data": nil, "logs": nil},
			order: []string{"data", "logs"}, views: map[string]view{"data": c.data, "logs": c.logs}, askedAt: map[string]time.Time{},
			database: databaseView{server: mysql.Server{Unit: "mariadb.service"}, state: systemd.State{Active: "failed"}, at: time.Now()},
		}
		if strings.HasPrefix(c.says, "READY") {
			d.database.version = "11.8.6"
		}
		if got := d.databaseCheck(c.data, time.Now()).Sentence.Situation().Error(); got != c.says {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
		if got := d.settled(time.Minute); got != c.settled {
			t.Errorf("%s: settled is %v, want %v", name, got, c.settled)
		}
	}
}

// TestReportElsewhere: the report, and so the gate and people, are told of the other
// volumes.
func TestReportElsewhere(t *testing.T) {
	asked := read(launch.Data{Given: true, UserData: []byte(elsewhereDocument)})
	d := &daemon{
		Agent: &Agent{config: Config{DefaultUser: "admin"}}, asked: true, discovered: true, orders: asked, order: []string{"data"},
		views: map[string]view{"data": {want: spec.Volume{Name: "data"}, mysql: asked.spec.MySQL}}, askedAt: map[string]time.Time{},
	}
	r := d.report()
	if r.MySQL == nil || len(r.MySQL.Elsewhere) != 2 || r.MySQL.Elsewhere[0] != (health.Part{Name: "redo_log", Volume: "logs", Directory: "/var/lib/mysql/#redo_log"}) {
		t.Fatalf("the report says %+v", r.MySQL)
	}
	var page strings.Builder
	r.Volumes = []health.Volume{{Name: "logs"}}
	if err := health.Text(&page, r, health.Check{}, health.View{}); err != nil {
		t.Fatal(err)
	}
	want := "   redo_log of mysql: /var/lib/mysql/#redo_log\n   tmpdir of mysql: /var/lib/mysql/#tmpdir\n"
	if !strings.HasSuffix(page.String(), want) {
		t.Errorf("status ends\n%swant\n%s", page.String(), want)
	}
}
