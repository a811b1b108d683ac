package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"

	"bootswain/lab"
	"bootswain/lab/imds"
)

// TestNoMetadata is a machine whose metadata service does not answer, answers
// late with nothing, and does not answer again after a reboot.
func TestNoMetadata(t *testing.T) {
	b := open(t)
	v := b.volumes(1, 320<<20)
	blank := b.hash(v[0])
	m := b.start(lab.MachineOptions{Volumes: v, PublicKeys: []string{b.owner.line}, IMDS: imds.Fault{Refuse: true}})
	b.booted(m)
	b.sh(m, "! systemctl is-active emergency.target")
	b.waitSentence(m, "WAITING launch data: could not be read")
	b.held(m, "WAITING launch data: could not be read")
	status, err := m.Run(b.ctx, "bootswain", "status")
	if err != nil || status.Code != 4 {
		b.Errorf("bootswain status: %+v, %v, want exit status 4", status, err)
	}

	m.IMDS.SetFault(imds.Fault{})
	b.waitSentence(m, "READY launch data: none given; the EC2 key pair may log in.")
	b.mayAdminister(m, b.owner)
	if checks := b.sh(m, "bootswain status --json"); !strings.Contains(checks, `"launch-data"`) || !strings.Contains(checks, `"warn"`) {
		b.Errorf("none given is to be a warning:\n%s", checks)
	}

	b.restricted(m)

	m.IMDS.SetFault(imds.Fault{Silent: true})
	must(b, m.Reboot(b.ctx))
	b.booted(m)
	b.mayAdminister(m, b.owner)
	b.waitSentence(m, "WAITING launch data: could not be read")
	if b.hash(v[0]) != blank {
		b.Error("a disk was touched without launch data")
	}

	m.IMDS.SetFault(imds.Fault{})
	b.anew(m)
}

// anew makes a machine that was at work ready to become an image, and then boots
// it: it is another machine, which the same key pair's owner can log in to.
func (b *bench) anew(m *lab.Machine) {
	b.Helper()
	b.sh(m, "echo 'mysql -psecret' >/root/.bash_history")
	self := func() string { return b.sh(m, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub") }
	before := self()
	check, err := m.Run(b.ctx, "bootswain", "image", "check")
	must(b, err)
	for _, want := range []string{"/root/.bash_history: ", "/etc/ssh/ssh_host_ed25519_key: ", "/etc/machine-id:1: ", "/etc/bootswain/keys/admin:2: SSH key"} {
		if check.Code != 1 || !strings.Contains(check.Stdout, want) {
			b.Errorf("image check of a machine at work: %d, want 1 and %s:\n%s%s", check.Code, want, check.Stdout, check.Stderr)
		}
	}
	b.step("%s", b.sh(m, "bootswain image prepare && bootswain image check"))
	if again := b.sh(m, "bootswain image prepare"); strings.Contains(again, "/etc/") {
		b.Errorf("a second time: %s", again)
	}
	must(b, m.Reboot(b.ctx))
	b.booted(m)
	b.mayAdminister(m, b.owner)
	if after := self(); after == before || !strings.Contains(after, "ssh-ed25519") {
		b.Errorf("after its first boot as another machine it is %s, was %s", after, before)
	}
}

// restricted lets root alone reach the metadata service, then one more user, and
// takes it back.
func (b *bench) restricted(m *lab.Machine) {
	b.Helper()
	const ask = "curl -s -m 20 -o /dev/null http://169.254.169.254/; echo $?" // 7: could not connect
	reached := func(by string, want bool) {
		b.Helper()
		out := b.sh(m, "setpriv --reuid "+by+" --clear-groups sh -c '"+ask+"'")
		if (out == "0") != want || !want && out != "7" {
			b.Errorf("%s asks the metadata service: curl exits with %s, want that it is reached: %v", by, out, want)
		}
	}
	apply := func(document string) {
		b.Helper()
		must(b, m.WriteFile(b.ctx, "/root/restrict.yaml", []byte("#bootswain\nversion: 1\n"+document), 0o600))
		b.sh(m, "bootswain apply --from /root/restrict.yaml")
	}
	tables := func(want bool) {
		b.Helper()
		must(b, lab.WaitFor(b.ctx, "the rule to come or go", func(context.Context) error {
			if out := b.sh(m, "nft list tables"); strings.Contains(out, "inet bootswain") != want {
				return errors.New("tables: " + out)
			}
			return nil
		}))
	}
	reached("nobody", true)
	apply("imds: {restrict: [root]}\n")
	b.waitSentence(m, "READY imds: only root reach it; another user's connection was refused.")
	reached("nobody", false)
	reached("root", true)
	b.sh(m, "nft flush ruleset") // as reloading a firewall does
	tables(true)
	apply("imds: {restrict: [root, nobody]}\n")
	b.waitSentence(m, "READY imds: only root, nobody reach it")
	reached("nobody", true)
	reached("games", false)
	apply("health: {listen: '127.0.0.1:8273'}\n")
	tables(false)
	reached("games", true)
	b.step("the metadata service was for root alone, for one more, and for all again")
}
