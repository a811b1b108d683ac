package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"bootswain/lab"
)

// The limits of this story, in guest time.
const (
	bootDelay   = 5 * time.Second  // how much later SSH may answer because a volume does not come
	refuseLimit = time.Second      // for the gate to refuse
	answerLimit = 30 * time.Second // from the attaching of the last volume to the database's answer
	stopLimit   = 10 * time.Second // from the pulling of a volume to the database's end
)

// TestLateAndLost is a database whose volume comes late, is pulled out under
// writes and comes back. The clocks of its machines count instructions, so that
// the limits hold or not whatever else the host is doing.
func TestLateAndLost(t *testing.T) {
	b := open(t)
	v := b.volumes(2, 160<<20)
	plain := b.start(lab.MachineOptions{Image: baked.plain, CountedTime: true})
	m := b.start(lab.MachineOptions{
		CountedTime: true, PublicKeys: []string{b.owner.line},
		UserData: b.document(b.stanza("data", "/srv/data", v...), "mysql: {volume: data}\n"),
	})
	b.bootDelay(m, plain)
	must(b, plain.Close())

	b.booted(m)
	b.sh(m, "! systemctl is-active emergency.target rescue.target")
	b.waitSentence(m, "WAITING data: ")
	b.held(m, "0 of 2 volumes", refuseLimit)
	image := b.rootDatabase(m)

	must(b, m.Attach(b.ctx, v[0]))
	b.waitSentence(m, "1 of 2 volumes")
	b.held(m, v[1].ID, refuseLimit)
	attached := b.uptime(m)
	must(b, m.Attach(b.ctx, v[1]))
	b.ready(m)
	answered := b.journalTime(m, attached, "mariadb.service", `^Started mariadb\.service`) - attached
	b.step("the database answered %.1fs after its last volume was attached", answered.Seconds())
	if answered > answerLimit {
		b.Errorf("the database answered %s after its last volume was attached, want %s at most", answered, answerLimit)
	}
	b.sql(m, "create database orders; create table orders.o (n int primary key, t varchar(40))")

	b.sh(m, "systemctl stop mariadb; cd /srv/data/mysql; cp -a mariadb_upgrade_info ../kept; echo 99.3.1-MariaDB >mariadb_upgrade_info")
	b.held(m, "data written by 99.3.1", refuseLimit)
	b.sh(m, "mv /srv/data/kept /srv/data/mysql/mariadb_upgrade_info")
	b.ready(m)

	last := b.pull(m, v[1], b.write(m, 0), stopLimit)
	if after := b.rootDatabase(m); after != image {
		b.Errorf("something was written beneath the mount: %s, was %s", after, image)
	}
	b.held(m, v[1].ID+" lost", refuseLimit)

	must(b, m.Attach(b.ctx, v[1]))
	b.ready(m)
	b.acknowledged(m, last, "the volume came back")
	must(b, m.Reboot(b.ctx))
	must(b, m.Ready(b.ctx)) // only the journal of the boot before is asked for
	b.shutdownOrder(m)
}

// bootDelay compares when two machines were up. A guest that waits for the host's
// disk is told that time went by, so a busy host makes one of them late, but not
// three times.
func (b *bench) bootDelay(m, plain *lab.Machine) {
	b.Helper()
	up := func(m *lab.Machine) time.Duration {
		must(b, m.Ready(b.ctx))
		return b.journalTime(m, 0, "ssh.service", `^Started ssh`)
	}
	for try := 1; ; try++ {
		with, without := up(m), up(plain)
		b.step("SSH answers %.1fs after the kernel's start, %.1fs without bootswain", with.Seconds(), without.Seconds())
		if with-without <= bootDelay {
			return
		}
		if try == 3 {
			b.Errorf("SSH answers %s later than without bootswain, want %s at most", with-without, bootDelay)
			return
		}
		must(b, m.Reboot(b.ctx))
		must(b, plain.Reboot(b.ctx))
	}
}

// rootDatabase is what lies beneath the mounts on the root disk: names, sizes
// and content of the image's databases, and of the bare mount point.
func (b *bench) rootDatabase(m *lab.Machine) string {
	b.Helper()
	return b.sh(m, `mkdir -p /run/beneath && mount --bind / /run/beneath && cd /run/beneath &&
		find var/lib/mysql srv/data/* -printf '%p %s %T@\n' 2>/dev/null | sort | sha256sum; find var/lib/mysql -type f -exec sha256sum {} + | sort | sha256sum
		cd / && umount /run/beneath`)
}

// waitSentence waits until status shows a text.
func (b *bench) waitSentence(m *lab.Machine, text string) {
	b.Helper()
	must(b, lab.WaitFor(b.ctx, fmt.Sprintf("%q in status", text), func(ctx context.Context) error {
		out, err := m.Run(ctx, "bootswain", "status")
		if err == nil && !strings.Contains(out.Stdout, text) {
			err = fmt.Errorf("status: %s%s", out.Stdout, out.Stderr)
		}
		return err
	}))
	b.step("status: %s", text)
}

// journalTime is the guest's time of the first matching line of a unit.
func (b *bench) journalTime(m *lab.Machine, since time.Duration, unit, pattern string) time.Duration {
	b.Helper()
	matches := regexp.MustCompile(pattern)
	var at time.Duration
	must(b, lab.WaitFor(b.ctx, pattern+" in the journal", func(ctx context.Context) error {
		entries, err := m.Journal(ctx, "-b", "-u", unit)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Time >= since && matches.MatchString(e.Message) {
				at = e.Time
				return nil
			}
		}
		return fmt.Errorf("no such line in %d", len(entries))
	}))
	return at
}
