package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"bootswain/ebs"
	"bootswain/lab"
	"bootswain/lab/image"
)

// TestWhole is the life of one machine and of its successor: first boot with
// volumes over one, two and four devices, people, database, a volume taken down
// and up, an upgrade under writes, two clean reboots, and another machine that
// gets the volumes and knows nothing of them.
func TestWhole(t *testing.T) {
	b := open(t)
	one, two, four := b.volumes(1, 320<<20), b.volumes(2, 192<<20), b.volumes(4, 128<<20)
	all := append(append(one, two...), four...)
	offline, err := age.GenerateX25519Identity()
	must(t, err)
	database := b.documented("A database with four encrypted volumes:", []person{b.ops},
		"devices: [/dev/sdf, /dev/sdg, /dev/sdh, /dev/sdi]", "ids: "+ids(four), "YWdlLWVuY3J5cHRpb24…", b.sealed(baked.agent.Recipient),
		"recovery: age1…", "recovery: "+offline.Recipient().String())
	m := b.start(lab.MachineOptions{
		Volumes: all, PublicKeys: []string{b.owner.line},
		UserData: []byte(strings.Replace(database, "volumes:\n", "volumes:\n"+b.stanza("one", "/srv/one", one...)+b.stanza("two", "/srv/two", two...), 1)),
	})
	b.ready(m)
	b.sql(m, "create database orders; use orders; create table o (n int primary key, t varchar(40)); insert into o select seq, md5(seq) from seq_1_to_1000;")
	rows := b.rows(m)

	b.people(m)
	b.upgrade(m)
	b.downAndUp(m, rows)
	b.noLeak(m, "before the reboots")
	for i := range 2 {
		must(b, m.Reboot(b.ctx))
		b.ready(m)
		b.same(m, rows, fmt.Sprintf("reboot %d", i+1))
		b.shutdownOrder(m)
	}
	b.cleanJournal(m)
	must(b, m.Shutdown(b.ctx))
	b.notOnDisk(m, all)
	must(b, m.Close())

	next := b.start(lab.MachineOptions{Volumes: all, Role: "db-prod", UserData: b.document("", "")})
	b.ready(next)
	b.same(next, rows, "another machine without a stanza for the volumes")
	for _, where := range []string{"/srv/one", "/srv/two", "/srv/data", "/var/lib/mysql"} {
		b.sh(next, "findmnt -n --mountpoint "+where)
	}
	b.cleanJournal(next)
	b.restored(next, four, rows)
}

// restored makes the database anew from snapshots of its volumes.
func (b *bench) restored(m *lab.Machine, volumes []*lab.Volume, rows string) {
	b.Helper()
	const set = "orders-db/2026-11-21T03:00Z"
	b.sh(m, "bootswain down data --ec2")
	for i, v := range volumes {
		must(b, second(b.lab.Snapshot(v, map[string]string{ebs.TagSet: set, ebs.TagRole: fmt.Sprint(i), ebs.TagCount: fmt.Sprint(len(volumes))})))
	}
	document := b.documented("A database from a snapshot set:", []person{b.ops})
	must(b, m.WriteFile(b.ctx, "/root/restore.yaml", []byte(document), 0o600))
	b.soonReady(m, "apply", "--from", "/root/restore.yaml")
	b.sh(m, "timeout 120 sh -c 'until mariadb -e \"select 1\"; do sleep 1; done'")
	if got := b.rows(m); got != rows {
		b.Errorf("restored from snapshots: rows %s, want %s", got, rows)
	}
	b.step("a database from the snapshot set %s", set)
}

// people checks who gets in, and who does not.
func (b *bench) people(m *lab.Machine) {
	for _, p := range []person{b.ops, b.owner} {
		out, err := m.SSH(b.ctx, p.name, p.signer, "sudo -n id -u")
		if err != nil || strings.TrimSpace(out.Stdout) != "0" {
			b.Errorf("ssh %s: %q, %v, want root by sudo", p.name, out.Stdout+out.Stderr, err)
		}
	}
	if _, err := m.Dial(b.ctx, "ops", newPerson(b.T, "stranger").signer); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		b.Errorf("a stranger's key: %v, want that it is refused", err)
	}
	config := b.sh(m, "sshd -T")
	for _, want := range []string{"passwordauthentication no", "permitrootlogin no"} {
		if !strings.Contains(config, want) {
			b.Errorf("sshd's settings lack %q", want)
		}
	}
	if shadow := b.sh(m, `awk -F: '$2 !~ /^[!*]/ {print $1}' /etc/shadow`); shadow != "" {
		b.Errorf("accounts with a password: %s", shadow)
	}
	b.step("people are in")
}

// upgrade installs a newer package while the database is written to.
func (b *bench) upgrade(m *lab.Machine) {
	b.Helper()
	newer, err := image.Deb(b.ctx, &lines{t: b.T, prefix: "deb: "}, "99.0")
	must(b, err)
	b.copy(m, newer, "/root/newer.deb")
	before := b.sh(m, "systemctl show -P MainPID mariadb")
	b.sh(m, `systemd-run --unit writer sh -c 'n=0; while sleep 0.05; do n=$((n+1)); echo "insert into orders.w values ($n);"; done | mariadb -f orders'`+
		`; mariadb -e 'create table if not exists orders.w (n int primary key)'`)
	b.sh(m, "DEBIAN_FRONTEND=noninteractive dpkg -i /root/newer.deb")
	b.ready(m)
	if after := b.sh(m, "systemctl show -P MainPID mariadb"); after != before {
		b.Errorf("the database's process is %s after the upgrade, was %s", after, before)
	}
	if version := b.sh(m, "bootswain --version"); !strings.Contains(version, "99.0") {
		b.Errorf("after the upgrade: %s", version)
	}
	if n := b.sh(m, "systemctl show -P NRestarts mariadb; mariadb -N -e 'select count(*) > 0 from orders.w'; systemctl stop writer"); n != "0\n1" {
		b.Errorf("restarts and whether anything was written: %q, want 0 and 1", n)
	}
	b.step("upgraded under writes")
}

// downAndUp takes the database's volume down by hand and brings it back.
func (b *bench) downAndUp(m *lab.Machine, rows string) {
	b.Helper()
	b.sh(m, "bootswain down data")
	if mounted := b.sh(m, "findmnt -n -o TARGET /srv/data /var/lib/mysql || true; ls /dev/mapper; systemctl is-active mariadb || true"); strings.Contains(mounted, "data") || !strings.Contains(mounted, "inactive") {
		b.Errorf("after down: %s", mounted)
	}
	b.held(m, "DOWN data: taken down by a person")
	b.sh(m, "bootswain up data")
	b.ready(m)
	b.same(m, rows, "down and up")
}

// held starts the database by hand and by a dependency, and expects the gate's
// sentence, within a limit if one is given.
func (b *bench) held(m *lab.Machine, why string, limit ...time.Duration) {
	b.Helper()
	b.sh(m, "printf '[Unit]\nRequires=mariadb.service\nAfter=mariadb.service\n[Service]\nExecStart=/bin/true\n' > /run/systemd/system/app.service; systemctl daemon-reload")
	for _, unit := range []string{"mariadb", "app"} {
		code, line, took := b.refusal(m, unit)
		// A busy host makes a guest late, but not three times.
		for try := 1; len(limit) > 0 && took > limit[0] && try < 3; try++ {
			code, line, took = b.refusal(m, unit)
		}
		if len(limit) > 0 && took > limit[0] {
			b.Errorf("systemctl start %s: refused %s after its start, want %s at most", unit, took, limit[0])
		}
		if code == 0 || !strings.Contains(line, why) {
			b.Errorf("systemctl start %s: exit status %d, journal %q, want it held because %q", unit, code, line, why)
		}
	}
	if state := b.sh(m, "systemctl is-active mariadb || true; pgrep -x mariadbd || true"); state != "failed" {
		b.Errorf("the held database is %q", state)
	}
	b.sh(m, "systemctl reset-failed app mariadb || true")
	b.step("held: %s", why)
}

// refusal starts a unit that the gate is to refuse, and returns the exit status,
// the gate's sentence and how long the database's unit was starting.
func (b *bench) refusal(m *lab.Machine, unit string) (code int, line string, took time.Duration) {
	b.Helper()
	began := b.uptime(m)
	out, err := m.Run(b.ctx, "systemctl", "start", unit)
	must(b, err)
	entries, err := m.Journal(b.ctx, "-b", "-u", "mariadb.service", "--since", "-5min")
	must(b, err)
	var starting, refused time.Duration
	for _, e := range entries {
		switch {
		case e.Time < began:
		case strings.HasPrefix(e.Message, "HELD mariadb: "):
			line = e.Message
		case strings.HasPrefix(e.Message, "Starting mariadb"):
			starting = e.Time
		case strings.HasPrefix(e.Message, "Failed to start mariadb"):
			refused = e.Time
		}
	}
	if starting == 0 || refused == 0 {
		b.Errorf("systemctl start %s: the journal does not show that the database's start failed", unit)
	}
	return out.Code, line, refused - starting
}

// shutdownOrder reads from the journal of the boot before this one that
// everything went in order.
func (b *bench) shutdownOrder(m *lab.Machine) {
	b.Helper()
	entries, err := m.Journal(b.ctx, "-b", "-1")
	must(b, err)
	order := []*regexp.Regexp{
		regexp.MustCompile(`^Stopped mariadb\.service`),
		regexp.MustCompile(`^Unmounted var-lib-mysql\.mount`),
		regexp.MustCompile(`^Unmounted srv-data\.mount`),
		regexp.MustCompile(`^data: close bootswain-data`),
		regexp.MustCompile(`^data: stop md`),
		regexp.MustCompile(`^Stopped bootswain-hold\.service`),
	}
	next := 0
	for _, e := range entries {
		if next < len(order) && order[next].MatchString(e.Message) {
			next++
		}
	}
	if next < len(order) {
		var last []string
		for _, e := range entries[max(0, len(entries)-80):] {
			last = append(last, fmt.Sprintf("%.3f %s: %s", e.Time.Seconds(), e.Unit, e.Message))
		}
		b.Errorf("shutdown: %s does not come in its turn; the journal ends:\n%s", order[next], strings.Join(last, "\n"))
	}
}

// cleanJournal looks at every boot of a machine.
func (b *bench) cleanJournal(m *lab.Machine) { b.Helper(); b.clean(m) }

// cleanBoot looks at the boot that a machine is in.
func (b *bench) cleanBoot(m *lab.Machine) { b.Helper(); b.clean(m, "-b") }

func (b *bench) clean(m *lab.Machine, boots ...string) {
	b.Helper()
	if failed := b.sh(m, "systemctl list-units --failed --no-legend --plain"); failed != "" {
		b.Errorf("failed units: %s", failed)
	}
	entries, err := m.Journal(b.ctx, boots...)
	must(b, err)
	bad := regexp.MustCompile(`(?i)ordering cycle|timed out|\bbusy\b`)
	for _, e := range entries {
		if bad.MatchString(e.Message) {
			b.Errorf("journal: %s: %s", e.Unit, e.Message)
		}
	}
}
