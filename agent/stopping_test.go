package agent

import (
	"strings"
	"testing"

	"bootswain/mysql"
	"bootswain/systemd"
)

// TestAnnounceDatabase: what is on the console while a machine goes down, and
// when it comes back after a crash.
func TestAnnounceDatabase(t *testing.T) {
	var out strings.Builder
	d := &daemon{Agent: &Agent{out: &out}}
	server := mysql.Server{Unit: "mariadb.service"}
	for _, v := range []databaseView{
		{version: "11.8"},
		{state: systemd.State{Active: "deactivating", Text: "Dumping buffer pool page 1/169"}},
		{state: systemd.State{Active: "deactivating", Text: "Waiting to flush 60 pages"}},
		{state: systemd.State{Active: "deactivating", Text: "Waiting to flush 60 pages"}},
		{state: systemd.State{Active: "inactive"}},
		{state: systemd.State{Active: "activating"}, recovery: &mysql.Recovery{Percent: 7}},
		{state: systemd.State{Active: "activating"}, recovery: &mysql.Recovery{Percent: 62}},
		{version: "11.8"},
		{version: "11.8"},
	} {
		v.server = server
		d.announceDatabase(v)
		d.database = v
	}
	want := `mariadb: stops
mariadb: stops; 60 pages to write
RECOVERING mariadb: InnoDB redo 7 %. Do not restart.
RECOVERING mariadb: InnoDB redo 62 %. Do not restart.
READY mariadb: answers, version 11.8.
`
	if out.String() != want {
		t.Errorf("said\n%s\nwant\n%s", &out, want)
	}
}
