package e2e

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"bootswain/lab"
)

// TestElsewhere is a database of either server whose redo log, binary logs and
// temporary files are on another volume than its data: that volume is pulled under
// writes, is an older copy of itself, is not named by the launch data, and loses
// its power with the other.
func TestElsewhere(t *testing.T) {
	if !soak {
		t.Skip("run by make soak (BOOTSWAIN_SOAK=1)")
	}
	b := open(t)
	for _, s := range []server{mariadb, mysql} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			newApart(b.beside(t), s).story()
		})
	}
}

// apart is a walk whose server has files on a second volume.
type apart struct {
	*walk
	logs *lab.Volume
}

const onLogs = ", binary_logs: logs, redo_log: logs, tmpdir: logs"

func newApart(b *bench, s server) *apart {
	a := &apart{walk: walkOf(b, s), logs: b.volumes(1, databaseSize)[0]}
	a.begin(lab.MachineOptions{Volumes: []*lab.Volume{a.v, a.logs}, UserData: []byte(a.document(onLogs))})
	return a
}

// document is launch data for both volumes.
func (a *apart) document(more string) string {
	return string(a.bench.document(a.stanzaFor(a.image.Recipient, "data", "/srv/data", a.v)+a.stanzaFor(a.image.Recipient, "logs", "/srv/logs", a.logs), "mysql: {volume: data"+more+"}\n"))
}

func (a *apart) story() {
	a.ready(a.m)
	a.sql(a.m, "create database orders; create table orders.o (n int primary key, t varchar(40))")
	a.places()
	a.confined()

	last := a.taken(a.logs, "/srv/logs", 0)
	a.everywhere(a.m, a.held(a.m, a.logs.ID+" lost"))
	must(a, a.m.Attach(a.ctx, a.logs))
	a.ready(a.m)
	a.rows = a.acknowledged(a.m, last, "the volume of the redo log came back")

	a.older()
	a.cut()
	a.places()
}

// places are where the server itself says that its files are, and what is on the
// volumes.
func (a *apart) places() {
	a.Helper()
	const place = "/var/lib/mysql/#"
	got := strings.Fields(a.sql(a.m, "select @@innodb_log_group_home_dir, @@log_bin_basename, @@tmpdir; show schemas"))
	want := []string{place + "redo_log", place + "binary_logs/binlog", place + "tmpdir", "information_schema", "mysql", "orders", "performance_schema", "sys"}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		a.Errorf("the server has %q, want %q", got, want)
	}
	redo := "ib_logfile0"
	if a.server == mysql {
		redo = "#innodb_redo"
	}
	a.sh(a.m, fmt.Sprintf("cd /srv/logs; test -e 'mysql-redo_log/%[1]s'; test -s mysql-binary_logs/binlog.000001; test -d mysql-tmpdir; ! test -e '/srv/data/mysql/%[1]s'", redo))
	a.step("%s", a.sh(a.m, "findmnt -rno TARGET,SOURCE | grep mapper; bootswain status | grep _log"))
}

// older is an old copy of the volume with the redo log, on which either server
// would start and lose what was committed since.
func (a *apart) older() {
	a.sh(a.m, "bootswain down logs; bootswain down data")
	right, old := a.logs, a.volumes(1, databaseSize)[0]
	_, err := io.Copy(io.NewOffsetWriter(old, 0), io.NewSectionReader(right, 0, right.Size()))
	must(a, err)
	a.sh(a.m, "bootswain up logs; bootswain up data")
	a.ready(a.m)
	a.rows = a.acknowledged(a.m, a.rows, "down and up")
	a.sql(a.m, fmt.Sprintf("insert into orders.o values (%d, %s)", a.rows+1, rowText))
	a.rows++

	a.sh(a.m, "bootswain down logs; bootswain down data")
	must(a, a.m.Detach(a.ctx, right))
	must(a, a.m.Attach(a.ctx, old))
	a.logs = old
	a.apply(a.m, a.document(onLogs), 4)
	a.waitSentence(a.m, "or of another time of these") // of the daemon, which looks too
	a.everywhere(a.m, a.held(a.m, "are of other databases, or of another time of these"))
	a.apply(a.m, a.document(""), 4)
	a.waitSentence(a.m, "the launch data name none for that")
	a.everywhere(a.m, a.held(a.m, "its binary logs are on volume logs, and the launch data name none for that"))

	a.sh(a.m, "bootswain down logs")
	must(a, a.m.Detach(a.ctx, old))
	must(a, a.m.Attach(a.ctx, right))
	a.logs = right
	a.apply(a.m, a.document(onLogs), 0)
	a.ready(a.m)
	a.rows = a.acknowledged(a.m, a.rows, "the right volume came back")
}
