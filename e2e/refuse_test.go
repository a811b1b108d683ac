package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"

	"bootswain/lab"
	"bootswain/lab/nbd"
)

// TestBadInput is one machine that is told all that can be wrong: faulty launch
// data first, then documents by hand with a foreign disk, a key that is not
// this image's, and a tool that is missing.
func TestBadInput(t *testing.T) {
	b := open(t)
	single := b.volumes(5, 320<<20)
	foreign, locked, last, failing, hung := single[0], single[1], single[2], single[3], single[4]
	good := b.volumes(2, 176<<20)
	temp := newPerson(t, "temp")
	faulty := string(b.document(b.stanza("data", "/srv/data", good...), "")) + "mysql: {volume: dada}\n"
	faulty = strings.Replace(faulty, "    ebs:", "    ebz:", 1)
	faulty = strings.Replace(faulty, "volumes:\n", fmt.Sprintf("  - name: temp\n    ssh_authorized_keys: [%s]\n    expirse: 2027-01-31T00:00:00Z\nvolumes:\n", temp.line), 1)
	m := b.start(lab.MachineOptions{
		Volumes: append(single, good...), PublicKeys: []string{b.owner.line},
		UserData: []byte(faulty),
	})
	b.faultyLaunchData(m, temp, append([]*lab.Volume{foreign, locked}, good...))
	b.sh(m, fmt.Sprintf("d=$(lsblk -ndo PATH,SERIAL | awk '$2 == \"%s\" {print $1}'); mkfs.ext4 -q -L backup $d; sync", strings.Replace(foreign.ID, "-", "", 1)))
	before := b.hash(foreign)

	stranger, err := age.GenerateX25519Identity()
	must(b, err)
	document := b.document(b.stanza("foreign", "/srv/foreign", foreign)+b.stanzaFor(stranger.Recipient().String(), "locked", "/srv/locked", locked)+
		b.stanza("failing", "/srv/failing", failing)+b.stanza("hung", "/srv/hung", hung)+b.stanza("data", "/srv/data", good...), "mysql: {volume: data}\n")
	failing.SetFault(nbd.Fault{ReadError: true})
	hung.SetFault(nbd.Fault{Hang: true})
	// In a unit of its own: as long as a device does not answer, the kernel lets
	// nobody end who waits for it.
	must(b, m.WriteFile(b.ctx, "/root/fixed.yaml", document, 0o600))
	b.sh(m, "systemd-run --quiet --unit applying --property RemainAfterExit=yes bootswain apply --from /root/fixed.yaml")
	b.journalTime(m, 0, "applying.service", "^READY data: ")
	b.journalTime(m, 0, "applying.service", "^FAILED hung: ")
	out := b.sh(m, "journalctl -b -u applying --no-pager -o cat")
	for _, want := range []string{
		`REFUSED foreign: ` + foreign.ID + ` holds ext4 "backup"`, "nothing written", "bootswain apply foreign --wipe " + foreign.ID + ":",
		"LOCKED locked: ", "READY data: mounted on /srv/data", "FAILED failing: " + failing.ID, "medium error", "FAILED hung: " + hung.ID, "does not answer within",
	} {
		if !strings.Contains(out, want) {
			b.Errorf("apply does not say %q:\n%s", want, out)
		}
	}
	if first := strings.Index(out, "data: "); first < 0 || first > strings.Index(out, "FAILED hung") {
		b.Errorf("the volume that is sound waited for the one that does not answer:\n%s", out)
	}
	if after := b.hash(foreign); after != before {
		b.Errorf("the foreign volume's bytes changed: %s, was %s", after, before)
	}
	b.step("refused, locked, failing and hung; the other volume went on")
	b.sh(m, "timeout 120 sh -c 'until mariadb -e \"select 1\"; do sleep 1; done'")
	b.waitHealth(m, func(code int, h health) bool {
		is := func(check, status string) bool { c := h.Checks[check]; return len(c) == 1 && c[0].Status == status }
		return code == 503 && is("volume:foreign", "fail") && is("volume:locked", "fail") && is("mysql", "pass")
	})

	failing.SetFault(nbd.Fault{})
	hung.SetFault(nbd.Fault{})
	b.waitSentence(m, "READY failing: ")
	b.waitSentence(m, "READY hung: ")
	if status := b.sh(m, "while [ $(systemctl show -P SubState applying) = running ]; do sleep 1; done; systemctl show -P ExecMainStatus applying"); status != "3" {
		b.Errorf("apply: exit status %s, want 3", status)
	}

	release := regexp.MustCompile(`bootswain (apply foreign --wipe \S+)`).FindStringSubmatch(out)
	if release == nil {
		b.Fatal("no command to release the foreign volume")
	}
	b.sh(m, "bootswain "+release[1])
	b.sh(m, "findmnt -n /srv/foreign")
	if again, err := m.Run(b.ctx, "sh", "-c", "bootswain "+release[1]+" && findmnt -n /srv/foreign"); err != nil || again.Code != 0 {
		b.Errorf("the same release a second time: %+v, %v, want that nothing happens", again, err)
	}
	b.step("released by its fingerprint")

	b.sh(m, "mv /usr/sbin/cryptsetup /usr/sbin/cryptsetup.away")
	out = b.apply(m, string(b.document(b.stanza("last", "/srv/last", last)+b.stanza("data", "/srv/data", good...), "mysql: {volume: data}\n")), 1)
	if !strings.Contains(out, "FAILED last: ") || !strings.Contains(out, "cryptsetup is not installed") || !strings.Contains(out, "READY data") {
		b.Errorf("without cryptsetup: %s", out)
	}
	b.sh(m, "mv /usr/sbin/cryptsetup.away /usr/sbin/cryptsetup")
	b.sh(m, "bootswain apply last; findmnt -n /srv/last")
	b.step("a missing tool costs its volume only, and only until it is there")
}

// faultyLaunchData checks what a machine does with launch data that cannot be
// followed as a whole.
func (b *bench) faultyLaunchData(m *lab.Machine, temp person, untouched []*lab.Volume) {
	b.Helper()
	must(b, m.Ready(b.ctx))
	blank := map[*lab.Volume]string{}
	for _, v := range untouched {
		blank[v] = b.hash(v)
	}
	sentence := "users.temp.expirse unknown (expires?), 3 more. No disk touched"
	b.waitSentence(m, sentence)
	if console, err := m.WaitConsole(b.ctx, `FAILED launch data \d+:\d+: .*expirse unknown`); err != nil {
		b.Errorf("console: %q, %v", console, err)
	}
	if journal := b.sh(m, "journalctl -b -u bootswain --no-pager -o cat"); !strings.Contains(journal, sentence) {
		b.Errorf("the journal does not say %q:\n%s", sentence, journal)
	}
	b.waitHealth(m, func(code int, h health) bool {
		c := h.Checks["launch-data"]
		return code == 503 && len(c) == 1 && strings.Contains(c[0].Output, sentence)
	})
	b.booted(m)
	b.mayLogIn(m, b.ops, b.owner)
	if out := b.sh(m, "getent passwd temp || true"); out != "" {
		b.Errorf("a faulty entry got an account: %s", out)
	}
	b.mayNot(m, temp)
	for v, was := range blank {
		if now := b.hash(v); now != was {
			b.Errorf("%s was touched", v.ID)
		}
	}
	b.step("faulty launch data: said, and no disk touched")
}

// apply applies a document by hand and expects an exit status.
func (b *bench) apply(m *lab.Machine, document string, code int) string {
	b.Helper()
	must(b, m.WriteFile(b.ctx, "/root/fixed.yaml", []byte(document), 0o600))
	out, err := m.Run(b.ctx, "bootswain", "apply", "--from", "/root/fixed.yaml")
	must(b, err)
	if out.Code != code {
		b.Errorf("apply: exit status %d, want %d\n%s%s", out.Code, code, out.Stdout, out.Stderr)
	}
	return out.Stdout + out.Stderr
}

func (b *bench) hash(v *lab.Volume) string {
	b.Helper()
	h, err := v.Hash()
	must(b, err)
	return h
}
