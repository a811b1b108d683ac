package e2e

import (
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
	must(b, m.Ready(b.ctx))
	b.sh(m, "timeout 600 sh -c 'until systemctl is-active multi-user.target; do sleep 1; done'; ! systemctl is-active emergency.target")
	b.waitSentence(m, "WAITING launch data: could not be read")
	b.held(m, "WAITING launch data: could not be read")
	status, err := m.Run(b.ctx, "bootswain", "status")
	if err != nil || status.Code != 4 {
		b.Errorf("bootswain status: %+v, %v, want exit status 4", status, err)
	}

	m.IMDS.SetFault(imds.Fault{})
	b.waitSentence(m, "READY launch data: none given; the EC2 key pair may log in.")
	out, err := m.SSH(b.ctx, b.owner.name, b.owner.signer, "sudo -n id -u")
	if err != nil || strings.TrimSpace(out.Stdout) != "0" {
		b.Errorf("the key pair's owner: %+v, %v", out, err)
	}
	if checks := b.sh(m, "bootswain status --json"); !strings.Contains(checks, `"launch-data"`) || !strings.Contains(checks, `"warn"`) {
		b.Errorf("none given is to be a warning:\n%s", checks)
	}

	m.IMDS.SetFault(imds.Fault{Silent: true})
	must(b, m.Reboot(b.ctx))
	out, err = m.SSH(b.ctx, b.owner.name, b.owner.signer, "sudo -n id -u")
	if err != nil || strings.TrimSpace(out.Stdout) != "0" {
		b.Errorf("after a reboot without the metadata service, who could log in before: %+v, %v", out, err)
	}
	b.waitSentence(m, "WAITING launch data: could not be read")
	if b.hash(v[0]) != blank {
		b.Error("a disk was touched without launch data")
	}
}
