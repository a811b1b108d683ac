package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

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
		b.mayAdminister(m, p)
	}
	b.mayNot(m, newPerson(b.T, "ops"))
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
	// Of an emulated processor that waits for its turn, and of a journal that a
	// power cut ended.
	other := regexp.MustCompile(`clocksource: |corrupted or uncleanly shut down`)
	for _, e := range entries {
		if bad.MatchString(e.Message) && !other.MatchString(e.Message) {
			b.Errorf("journal: %s: %s", e.Unit, e.Message)
		}
	}
}
