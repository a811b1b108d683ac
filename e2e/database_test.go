package e2e

import (
	"fmt"
	"strings"
	"testing"

	"bootswain/lab"
)

// TestDatabase walks two machines, one with MariaDB and one with MySQL, through
// the same table of states of the volume that the database is on, each in one
// boot. Then their power is cut under writes.
func TestDatabase(t *testing.T) {
	b := open(t)
	b.Run("table", func(t *testing.T) {
		for _, s := range []server{mariadb, mysql} {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				w := newWalk(b.beside(t), s)
				w.table()
				w.cut()
			})
		}
	})
}

// databaseSize is the least that carries either server's databases, beside the
// file system's own log.
const databaseSize = 448 << 20

// walk is a machine that meets its database's volume in one state after another.
type walk struct {
	*bench
	server    server
	recipient string // whom keys are sealed to
	m         *lab.Machine
	v         *lab.Volume
	beneath   string // what the root disk has where the volume is mounted
	rows      int    // in orders.o
}

func newWalk(b *bench, s server) *walk {
	w := &walk{bench: b, server: s, recipient: baked.agent.Recipient, v: b.volumes(1, databaseSize)[0]}
	o := lab.MachineOptions{PublicKeys: []string{b.owner.line}}
	if s == mysql {
		sid, err := bakedSid()
		must(b, err)
		o.Image, w.recipient = sid, sid.Recipient
	}
	o.UserData = w.document("")
	w.m = b.start(o)
	b.isServer(w.m, s)
	return w
}

// document is launch data that names the volume for the database.
func (w *walk) document(more string) []byte {
	return w.bench.document(w.stanzaFor(w.recipient, "data", "/srv/data", w.v), "mysql: {volume: data"+more+"}\n")
}

// table is what a volume may be found as, in the order that needs the fewest
// starts of a server: one takes 20 s where the processor is emulated.
func (w *walk) table() {
	rows := []struct {
		name string
		walk func()
	}{
		{"missing volume", w.missing},
		{"blank volume", w.blank},
		{"stopped under writes, and the old volume again", w.old},
		{"pulled while it runs", w.lost},
	}
	right := 0
	for _, row := range rows {
		w.step("%s: %s", w.server.name, row.name)
		failures := len(w.failed)
		row.walk()
		if len(w.failed) == failures {
			right++
		}
	}
	w.step("%s: %d of %d", w.server.name, right, len(rows))
}

// missing is a machine whose volume is not there.
func (w *walk) missing() {
	must(w, w.m.Ready(w.ctx))
	w.waitSentence(w.m, "WAITING data: ")
	w.everywhere(w.m, w.held(w.m, w.v.ID, refuseLimit))
	w.beneath = w.rootDatabase(w.m)
}

// blank is a volume with nothing on it: it gets the databases that the image
// brings.
func (w *walk) blank() {
	must(w, w.m.Attach(w.ctx, w.v))
	w.ready(w.m)
	w.sql(w.m, "create database orders; create table orders.o (n int primary key, t varchar(40))")
	for _, account := range []string{"root", "", "mysql", "nobody"} {
		out, err := w.m.Run(w.ctx, w.server.client, "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-u", account, "-N", "-e", "select current_user()")
		must(w, err)
		if out.Code == 0 || !strings.Contains(out.Stderr, "ERROR 1045") && !strings.Contains(out.Stderr, "ERROR 1698") {
			w.Errorf("%q without a password over TCP: exit status %d, %s%s, want it refused", account, out.Code, out.Stdout, out.Stderr)
		}
	}
	w.confined()
}

// confined checks that the server runs under the profile that its package brings,
// if it brings one, and that nobody changed what the package installed.
func (w *walk) confined() {
	profile := w.sh(w.m, fmt.Sprintf("cat /proc/$(pgrep -x %s)/attr/current", w.server.process))
	if w.server == mysql && !strings.HasSuffix(profile, "mysqld (enforce)") {
		w.Errorf("MySQL is confined by %q, want its profile enforced", profile)
	}
	if denied := w.sh(w.m, `journalctl -b -k --no-pager -o cat -g 'apparmor="DENIED"' || true`); denied != "" {
		w.Errorf("AppArmor denied: %s", denied)
	}
	if changed := w.sh(w.m, fmt.Sprintf("dpkg --verify $(dpkg-query -W -f '${Package}\n' '%s*' 'mysql-*' 'mariadb-*' | sort -u) | grep -v /usr/share/ || true", w.server.pkg)); changed != "" {
		w.Errorf("files of the server's packages were changed: %s", changed)
	}
	w.step("confined by %s", profile)
}

// old is a volume that was taken away under writes and comes back as it went.
func (w *walk) old() {
	writer := w.write(w.m, w.rows)
	writer.await(w.bench, 50)
	w.step("%s", w.sh(w.m, "bootswain down data"))
	last := writer.end()
	w.everywhere(w.m, w.held(w.m, "DOWN data: taken down by a person", refuseLimit))
	must(w, w.m.Detach(w.ctx, w.v))
	must(w, w.m.Attach(w.ctx, w.v))
	w.sh(w.m, "bootswain up data")
	w.ready(w.m)
	w.rows = w.acknowledged(w.m, last, "down and up")
}

// lost is a volume that is pulled from under a server that writes.
func (w *walk) lost() {
	last := w.pull(w.m, w.v, w.write(w.m, w.rows))
	if after := w.rootDatabase(w.m); after != w.beneath {
		w.Errorf("something was written beneath the mount: %s, was %s", after, w.beneath)
	}
	w.everywhere(w.m, w.held(w.m, w.v.ID+" lost", refuseLimit))
	must(w, w.m.Attach(w.ctx, w.v))
	w.ready(w.m)
	w.rows = w.acknowledged(w.m, last, "the volume came back")
}

// cut takes the power away under writes.
func (w *walk) cut() {
}
