package e2e

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/lab"
	"bootswain/lab/image"
	"bootswain/lab/nbd"
)

// TestDatabase walks two machines, one with MariaDB and one with MySQL, through
// the same table of states of the volume that the database is on, each in one
// boot. Then their power is cut under writes, and at last each gets the other's
// volume.
func TestDatabase(t *testing.T) {
	b := open(t)
	cuts := 1
	if soak {
		cuts = 10
	}
	walks := make([]*walk, 2)
	b.Run("table", func(t *testing.T) {
		for i, s := range []server{mariadb, mysql} {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				walks[i] = newWalk(b.beside(t), s)
				walks[i].table()
				for range cuts {
					walks[i].cut()
				}
			})
		}
	})
	if walks[0] != nil && walks[1] != nil && !b.Failed() {
		b.beside(t).exchange(walks)
	}
}

// databaseSize carries either server's databases twice, beside the file system's
// own log.
const databaseSize = 576 << 20

// walk is a machine that meets its database's volume in one state after another.
type walk struct {
	*bench
	server  server
	image   image.Image
	m       *lab.Machine
	v       *lab.Volume
	beneath string // what the root disk has where the volume is mounted
	rows    int    // in orders.o
	uuid    string // of the server
	undo    string // what makes the data directory whole again
}

func newWalk(b *bench, s server) *walk {
	w := walkOf(b, s)
	w.begin(lab.MachineOptions{UserData: w.document("")})
	return w
}

// walkOf is a walk whose machine is to begin.
func walkOf(b *bench, s server) *walk {
	w := &walk{bench: b, server: s, image: baked.agent, v: b.volumes(1, databaseSize)[0]}
	if s == mysql {
		sid, err := bakedSid()
		must(b, err)
		w.image = sid
	}
	return w
}

func (w *walk) begin(o lab.MachineOptions) {
	o.Image, o.PublicKeys = w.image, []string{w.owner.line}
	w.m = w.start(o)
	w.isServer(w.m, w.server)
}

// document is launch data that names the volume for the database.
func (w *walk) document(more string) []byte {
	return w.bench.document(w.stanzaFor(w.image.Recipient, "data", "/srv/data", w.v), "mysql: {volume: data"+more+"}\n")
}

// row is a state in which a database's volume is found.
type row struct {
	name string
	walk func()
}

// table is what a volume may be found as, in the order that needs the fewest
// starts of a server: one takes 20 s where the processor is emulated.
func (w *walk) table() {
	rows := []row{
		{"missing volume", w.missing},
		{"blank volume", w.blank},
		{"stopped under writes", w.stopped},
		{"restored copy", w.restored},
		{"old volume", w.old},
		{"empty directory", w.empty},
		{"changed user id", w.otherUser},
	}
	for _, damage := range w.damages() {
		rows = append(rows, row{damage.name, func() { w.damaged(damage) }})
	}
	rows = append(rows, row{"stale lock", w.stale}, row{"pulled while it runs", w.lost})
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
	w.booted(w.m)
	w.waitSentence(w.m, "WAITING data: ")
	w.everywhere(w.m, w.held(w.m, w.v.ID))
	w.beneath = w.rootDatabase(w.m)
}

// blank is a volume with nothing on it: it gets databases that nobody enters
// without a password from the network.
func (w *walk) blank() {
	must(w, w.m.Attach(w.ctx, w.v))
	w.ready(w.m)
	w.sql(w.m, "create database orders; create table orders.o (n int primary key, t varchar(40))")
	for _, account := range []string{"root", "mysql", "nobody"} {
		out, err := w.m.Run(w.ctx, w.server.client, "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-u", account, "-N", "-e", "select current_user()")
		must(w, err)
		if out.Code == 0 || !strings.Contains(out.Stderr, "ERROR 1045") && !strings.Contains(out.Stderr, "ERROR 1698") {
			w.Errorf("%s without a password over TCP: exit status %d, %s%s, want it refused", account, out.Code, out.Stdout, out.Stderr)
		}
	}
	w.confined()
	w.order()
}

// order checks that the picture in docs/mysql.md is what systemd on the machine
// says.
func (w *walk) order() {
	page, err := os.ReadFile("../docs/mysql.md")
	must(w, err)
	text := strings.ReplaceAll(string(page), "mariadb.service", w.server.name+".service")
	drawn := map[string]bool{}
	command := []string{"dot", "--order"}
	for _, e := range regexp.MustCompile(`(?m)^  (\S+) --> (\S+)$`).FindAllStringSubmatch(text, -1) {
		drawn[e[1]+" --> "+e[2]] = true
		for _, unit := range e[1:] {
			command = append(command, "--from-pattern="+unit, "--to-pattern="+unit)
		}
	}
	out, err := w.m.Run(w.ctx, "systemd-analyze", command...)
	must(w, err)
	must(w, out.OK())
	known := map[string]bool{}
	for _, e := range regexp.MustCompile(`"(\S+)"->"(\S+)" \[color="green"\]`).FindAllStringSubmatch(out.Stdout, -1) {
		known[e[2]+" --> "+e[1]] = true
	}
	if !maps.Equal(drawn, known) {
		w.Errorf("systemd orders the units\n%s\nand docs/mysql.md\n%s", strings.Join(slices.Sorted(maps.Keys(known)), "\n"), strings.Join(slices.Sorted(maps.Keys(drawn)), "\n"))
	}
}

// confined checks that the server runs under the profile that its package brings,
// if it brings one, and that nobody changed what the package installed.
func (w *walk) confined() {
	profile := w.sh(w.m, "cat /proc/$(systemctl show -P MainPID "+w.server.name+")/attr/current")
	if w.server == mysql && !strings.HasSuffix(profile, "mysqld (enforce)") {
		w.Errorf("MySQL is confined by %q, want its profile enforced", profile)
	}
	// Debian's profile does not know that MySQL 9 reads its own cgroup.
	if denied := w.sh(w.m, `journalctl -b -k --no-pager -o cat -g 'apparmor="DENIED"' | grep -v 'name="/proc/[0-9]*/cgroup"' || true`); denied != "" {
		w.Errorf("AppArmor denied: %s", denied)
	}
	if changed := w.sh(w.m, "dpkg --verify "+w.server.packages+" | grep -v /usr/share/ || true"); changed != "" {
		w.Errorf("files of the server's packages were changed: %s", changed)
	}
	w.step("confined by %s", profile)
}

// stopped is a volume that is taken down under a server that writes.
func (w *walk) stopped() {
	writer := w.write(w.m, w.rows)
	writer.await(w.bench, 50)
	w.sql(w.m, w.server.follow())
	w.uuid, _, _, _ = w.identity()
	w.sh(w.m, "bootswain down data")
	w.rows = writer.end()
	w.everywhere(w.m, w.held(w.m, "DOWN data: taken down by a person"))
	must(w, w.m.Detach(w.ctx, w.v))
}

// follow makes the server follow another, which is not there.
func (s server) follow() string {
	if s == mysql {
		return "change replication source to source_host='192.0.2.1', source_user='r', source_password='r'; start replica"
	}
	return "change master to master_host='192.0.2.1', master_user='r', master_password='r'; start slave"
}

// identity is who the server is to others, and what it would do to them.
func (w *walk) identity() (uuid string, mayWrite, follows, hasEvents bool) {
	w.Helper()
	ask := "select @@global.server_uuid, @@global.read_only, @@global.event_scheduler; show replica status;"
	if w.server == mariadb {
		ask = "select 'none', @@global.read_only, @@global.event_scheduler; show all slaves status;"
	}
	got := w.sql(w.m, ask)
	var readOnly, scheduler string
	if _, err := fmt.Sscan(got, &uuid, &readOnly, &scheduler); err != nil {
		w.Errorf("who the server is: %q: %v", got, err)
	}
	return uuid, readOnly == "0" || readOnly == "OFF", strings.Contains(got, "Connecting"), scheduler == "ON"
}

// restored is a copy of the volume, as of a snapshot, that must not act as the
// original does.
func (w *walk) restored() {
	original := w.v
	w.v = w.volumes(1, databaseSize)[0]
	_, err := io.Copy(io.NewOffsetWriter(w.v, 0), io.NewSectionReader(original, 0, original.Size()))
	must(w, err)
	w.take(", isolated: true")
	w.ready(w.m)
	w.rows = w.acknowledged(w.m, w.rows, "a restore")
	uuid, mayWrite, follows, hasEvents := w.identity()
	if mayWrite || follows || hasEvents || w.server == mysql && uuid == w.uuid {
		w.Errorf("an isolated copy of %s: it is %s, may be written to: %v, follows another: %v, runs events: %v", w.uuid, uuid, mayWrite, follows, hasEvents)
	}
	if status := w.sh(w.m, "bootswain status"); !strings.Contains(status, "isolated") {
		w.Errorf("status does not say that the database is isolated:\n%s", status)
	}
	w.sh(w.m, "systemctl stop "+w.server.name+"; bootswain down data")
	must(w, w.m.Detach(w.ctx, w.v))
	w.v = original
}

// old is a volume with databases; nobody asks for their start.
func (w *walk) old() {
	w.take("")
	w.waitSentence(w.m, "READY data: ")
	w.sh(w.m, "findmnt -n /var/lib/mysql; ! systemctl is-active "+w.server.name)
}

// take attaches the volume and tells the machine that this is the one.
func (w *walk) take(more string) {
	w.Helper()
	w.given(more, func(said lab.Output) bool { return said.Code != 4 })
}

// given attaches the volume, gives the machine launch data that name it, and
// applies them until what is said is as it is to be.
func (w *walk) given(more string, done func(said lab.Output) bool) {
	w.Helper()
	must(w, w.m.Attach(w.ctx, w.v))
	document := w.document(more)
	w.m.IMDS.Set("user-data", string(document))
	must(w, w.m.WriteFile(w.ctx, "/root/next.yaml", document, 0o600))
	must(w, lab.WaitFor(w.ctx, "the volume to come up", func(ctx context.Context) error {
		out, err := w.m.Run(ctx, "bootswain", "apply", "--from", "/root/next.yaml")
		if err == nil && !done(out) {
			err = fmt.Errorf("apply says, with exit status %d: %s%s", out.Code, out.Stdout, out.Stderr)
		}
		return err
	}))
}

// again takes the volume down and brings it up, so that all of it is looked at.
func (w *walk) again() {
	w.Helper()
	w.sh(w.m, "bootswain down data; bootswain up data")
	w.waitSentence(w.m, "READY data: ") // of the daemon, whose word the gate takes
}

// empty is a directory for databases that has none: it gets what a blank volume
// gets.
func (w *walk) empty() {
	w.sh(w.m, "mv /srv/data/mysql /srv/data/kept; mkdir /srv/data/mysql")
	w.again()
	w.sh(w.m, "test -e /srv/data/mysql/.bootswain; test -d /srv/data/mysql/mysql; rm -r /srv/data/mysql; mv /srv/data/kept /srv/data/mysql")
	w.again()
}

// otherUser is a volume that comes from an image whose server has another user
// id.
func (w *walk) otherUser() {
	w.sh(w.m, "chown -R 4242:4242 /srv/data/mysql")
	w.again()
	if others := w.sh(w.m, "find /srv/data/mysql -user 4242 | head -3"); others != "" {
		w.Errorf("the files of another user id still belong to it: %s", others)
	}
}

// damage is something about a data directory for which its server is held.
type damage struct {
	name       string
	make, undo string // scripts, run as root in the directory
	held       string // of the sentence
}

func (w *walk) damages() []damage {
	newer := damage{
		"newer version's data",
		`cp -a mariadb_upgrade_info ../kept; echo 99.3.1-MariaDB >mariadb_upgrade_info`,
		`mv ../kept mariadb_upgrade_info`,
		"data written by 99.3.1, this image has 11.",
	}
	foreign := damage{
		"the other server's data",
		`mkdir ../kept-foreign; mv mariadb_upgrade_info aria_log_control mysql/db.frm ../kept-foreign; echo '{"file_format":"1","upgrade_history":[{"version":"9.7.4"}]}' >mysql_upgrade_history; echo >mysql.ibd`,
		`mv ../kept-foreign/db.frm mysql; mv ../kept-foreign/* .; rmdir ../kept-foreign; rm mysql_upgrade_history mysql.ibd`,
		"data written by MySQL 9.7.4, this image has MariaDB 11.",
	}
	half := damage{"half-initialised", `mv mysql ../kept-schema`, `mv ../kept-schema mysql`, "it has no mysql/db.frm"}
	if w.server == mysql {
		newer = damage{
			"newer version's data",
			`cp -a mysql_upgrade_history ../kept; sed -i 's/"version":"9[^"]*"/"version":"99.3.1"/' mysql_upgrade_history`,
			`mv ../kept mysql_upgrade_history`,
			"data written by 99.3.1, this image has 9.",
		}
		foreign = damage{
			"the other server's data",
			`mkdir ../kept-foreign; mv mysql.ibd mysql_upgrade_history ../kept-foreign; echo 11.8.6-MariaDB >mariadb_upgrade_info; echo >aria_log_control; echo >mysql/db.frm`,
			`mv ../kept-foreign/* .; rmdir ../kept-foreign; rm mariadb_upgrade_info aria_log_control mysql/db.frm`,
			"data written by MariaDB 11.8.6, this image has MySQL 9.",
		}
		half = damage{"half-initialised", `mv mysql_upgrade_history ../kept-schema`, `mv ../kept-schema mysql_upgrade_history`, "it has no mysql_upgrade_history"}
	}
	return []damage{newer, foreign, half, {
		// A struct flock of a write lock over the whole file.
		"live lock",
		`systemd-run --quiet --unit holder --expand-environment=no --working-directory=/srv/data/mysql \
			perl -e 'open(F, "+<", "ibdata1") or die; my $l = pack("s s x4 q q i x4", 1, 0, 0, 0, 0); fcntl(F, 6, $l) or die; sleep'
			until grep -q ":$(stat -c %i ibdata1) " /proc/locks; do systemctl is-active --quiet holder; sleep 0.1; done`,
		`systemctl stop holder`,
		"(perl)",
	}}
}

// damaged undoes what the row before did and makes the directory so, while the
// daemon stands still: there is no moment without a cause to hold the server.
func (w *walk) damaged(d damage) {
	w.sh(w.m, "kill -STOP $(systemctl show -P MainPID bootswain); cd /srv/data/mysql; "+w.undo+d.make+"; kill -CONT $(systemctl show -P MainPID bootswain)")
	w.undo = d.undo + "; "
	before := w.fingerprint()
	w.everywhere(w.m, w.held(w.m, d.held))
	if after := w.fingerprint(); after != before {
		w.Errorf("the data directory of a held server changed:\n%s\nwas\n%s", after, before)
	}
}

// fingerprint is all that a write to a data directory would change.
func (w *walk) fingerprint() string {
	w.Helper()
	return w.sh(w.m, `cd /srv/data/mysql; find . -printf '%p %s %U %G %m %T@ %C@\n' | sort`)
}

// stale is a directory in which a server died that left its marks. Nothing holds
// it any more, so the daemon starts the server.
func (w *walk) stale() {
	w.sh(w.m, `cd /srv/data/mysql; for f in $(hostname).pid mysqld.pid mysql.sock.lock; do echo 4194000 >$f; chown --reference=. $f; done; `+w.undo)
	must(w, lab.WaitFor(w.ctx, "the server's start", func(ctx context.Context) error {
		out, err := w.m.Run(ctx, w.server.client, "-e", "select 1")
		return cmp.Or(err, out.OK())
	}))
	if uuid, mayWrite, follows, _ := w.identity(); uuid != w.uuid || !mayWrite || !follows {
		w.Errorf("the original %s is %s, may be written to: %v, follows another: %v", w.uuid, uuid, mayWrite, follows)
	}
	w.sql(w.m, "stop replica; reset replica all")
	w.ready(w.m)
	w.rows = w.acknowledged(w.m, w.rows, "all that")
}

// lost is a volume that is pulled from under a server that writes.
func (w *walk) lost() {
	last := w.taken(w.v, "/srv/data", w.rows)
	if after := w.rootDatabase(w.m); after != w.beneath {
		w.Errorf("something was written beneath the mount: %s, was %s", after, w.beneath)
	}
	w.everywhere(w.m, w.held(w.m, w.v.ID+" lost"))
	must(w, w.m.Attach(w.ctx, w.v))
	w.ready(w.m)
	w.rows = w.acknowledged(w.m, last, "the volume came back")
}

// taken pulls a volume under writes, and returns the last row that was acknowledged.
// A server that is stopped until the mount is gone is no start of ours, and before
// the first try without the volume failed, a start is refused as too early.
func (w *walk) taken(v *lab.Volume, mount string, rows int) (last int) {
	// Ten seconds hold where the clock counts instructions; here a busy host is late.
	last = w.pull(w.m, v, w.write(w.m, rows), 3*stopLimit)
	w.sh(w.m, "timeout 120 sh -c 'while findmnt -n "+mount+" || bootswain status | grep -q WORKING; do sleep 0.2; done'")
	return last
}

// cut takes the power away under writes. What the server does then is recovery,
// and no fault; the disk is slow for so long that it can be watched.
func (w *walk) cut() {
	seed := uint64(time.Now().UnixNano())
	writer := w.write(w.m, w.rows)
	writer.await(w.bench, 300)
	lost, err := w.m.Cut(lab.CutOptions{LoseUnflushed: true, Seed: seed})
	must(w, err)
	last := writer.end()
	w.step("power cut, seed %d, after %d acknowledged rows: %v", seed, last, lost)
	if w.server == mariadb { // MySQL tells of it only with log_error_verbosity=3
		w.v.SetFault(nbd.Fault{Delay: 200 * time.Millisecond})
	}
	must(w, w.m.PowerOn(w.ctx))
	w.recovers()
	w.v.SetFault(nbd.Fault{})
	w.ready(w.m)
	w.rows = w.acknowledged(w.m, last, "a power cut")
	w.cleanBoot(w.m)
}

// recovers watches what health says of the server until all is well.
func (w *walk) recovers() {
	must(w, w.m.Ready(w.ctx))
	shown := map[string]bool{}
	must(w, lab.WaitFor(w.ctx, "the database to be recovered", func(ctx context.Context) error {
		_, h, err := askHealth(ctx, w.m)
		if err != nil {
			return err // the listener starts
		}
		if c := h.Checks["mysql"]; len(c) == 1 && strings.HasPrefix(c[0].Output, "RECOVERING") {
			shown[c[0].Output] = true
			if c[0].Status != "warn" {
				w.Errorf("health says %s of a server that recovers: %s", c[0].Status, c[0].Output)
			}
		}
		if h.Status != "pass" {
			return fmt.Errorf("health: %+v", h)
		}
		return nil
	}))
	w.step("recovery as it was shown: %q", slices.Sorted(maps.Keys(shown)))
	if len(shown) == 0 && w.server == mariadb {
		w.Error("health did not tell that the server recovers")
	}
}

// exchange gives each of two machines the other's volume.
func (b *bench) exchange(walks []*walk) {
	content := map[*lab.Volume]string{}
	for _, w := range walks {
		w.bench = b
		b.isServer(w.m, w.server)
		w.sh(w.m, "systemctl stop "+w.server.name)
		content[w.v] = w.content()
		w.sh(w.m, "bootswain down data")
		must(b, w.m.Detach(b.ctx, w.v))
	}
	one, other := walks[0], walks[1]
	one.v, other.v = other.v, one.v
	for _, w := range walks {
		w.given("", func(said lab.Output) bool { return strings.Contains(said.Stdout+said.Stderr, "data written by ") })
		w.waitSentence(w.m, "data written by ") // of the daemon, which looks too
		w.everywhere(w.m, w.held(w.m, "data written by "))
		if got := w.content(); got != content[w.v] {
			b.Errorf("%s changed the other server's databases: %s, were %s", w.server.name, got, content[w.v])
		}
	}
}

// content is all that is in the data directory, and whose it is.
func (w *walk) content() string {
	w.Helper()
	return w.sh(w.m, `cd /srv/data/mysql; { find . -type f -exec sha256sum {} +; find . -printf '%p %U %G %m %T@ %C@\n'; } | sort | sha256sum`)
}
