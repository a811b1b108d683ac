package e2e

import (
	"fmt"
	"strings"
	"testing"

	"bootswain/ebs"
	"bootswain/lab"
	"bootswain/lab/ec2"
)

// TestTags is a machine whose launch data knows its volumes by their tags only,
// and whose key is in KMS: EC2, asked with the role's credentials, finds and
// attaches them, and detaches and attaches them again when a person says so. KMS
// denies the key at first and then grants it, and the daemon dies with the key in
// its hands. The role also reads the list of who may log in. Then new volumes are
// made from snapshots.
func TestTags(t *testing.T) {
	b := open(t)
	v := b.volumes(2, 160<<20)
	for _, v := range v {
		b.lab.Tag(v, map[string]string{"set": "orders"})
	}
	b.lab.AWS.SetFault(denied)
	stanza := fmt.Sprintf("  data:\n    ebs: {tags: {set: orders}, count: 2}\n    create: if_blank\n    encryption: %s\n    mount: /srv/data\n", b.inKMS())
	in, expired, list := b.listed()
	b.lab.AWS.AddParameter("/bootswain/orders-db/users", list)
	must(b, second(b.lab.S3(b.ctx, "access")))
	document := func(usersFrom string) []byte { return b.document(stanza, usersFrom) }
	m := b.start(lab.MachineOptions{Append: noDatabase, Role: "db-prod", PublicKeys: []string{b.owner.line}, UserData: document(usersFrom(""))})
	b.waitSentence(m, lockedByKMS)
	b.blank(v)
	b.catchCores(m)
	b.granted(m)
	b.crashWithKey(m)
	b.ready(m)
	b.noCores(m)
	b.noLeak(m, "after a crash with the key in use")
	b.access(m, in, expired, list, document)
	b.sh(m, "echo order 1 >/srv/data/order && sync")
	set := b.lab.EC2.Volume(v[0].ID).Tags[ebs.TagSet]
	for _, v := range v {
		known := b.lab.EC2.Volume(v.ID)
		if len(known.Attachments) != 1 || known.Attachments[0].Instance != m.ID || known.Attachments[0].State != "attached" {
			b.Errorf("EC2 has %s at %+v", v, known.Attachments)
		}
		if known.Tags[ebs.TagSet] == "" || known.Tags[ebs.TagSet] != set || known.Tags[ebs.TagCount] != "2" {
			b.Errorf("%s carries the tags %v", v, known.Tags)
		}
	}
	if luks := b.sh(m, "cryptsetup luksUUID /dev/md/data"); luks != set {
		b.Errorf("the set is tagged %q, its header is %q", set, luks)
	}

	b.examined(m)

	b.step("%s", b.sh(m, "bootswain down data --ec2"))
	for _, v := range v {
		if at := b.lab.EC2.Volume(v.ID).Attachments; len(at) > 0 {
			b.Errorf("after down --ec2, EC2 has %s at %+v", v, at)
		}
	}
	if left := b.sh(m, "lsblk -ndo SERIAL"); strings.Contains(left, strings.TrimPrefix(v[0].ID, "vol-")) {
		b.Errorf("after down --ec2 the guest has %s", left)
	}
	for _, v := range v {
		tags := map[string]string{ebs.TagSet: "orders/1", ebs.TagCount: "2", ebs.TagRole: b.lab.EC2.Volume(v.ID).Tags[ebs.TagRole]}
		must(b, second(b.lab.Snapshot(v, tags)))
	}
	b.lab.AWS.SetFault(denied)
	b.soonSays(m, lockedByKMS, "up", "data")
	b.granted(m)
	b.waitSentence(m, "READY data: ")
	b.ready(m)
	if got := b.sh(m, "cat /srv/data/order"); got != "order 1" {
		b.Errorf("after down and up: %q", got)
	}

	must(b, m.Reboot(b.ctx))
	b.ready(m)
	if got := b.sh(m, "cat /srv/data/order"); got != "order 1" {
		b.Errorf("after a reboot: %q", got)
	}

	b.sh(m, "echo order 2 >/srv/data/order && bootswain down data --ec2")
	restore := b.document("  data:\n    ebs: {restore: orders/1}\n    mount: /srv/data\n", "")
	must(b, m.WriteFile(b.ctx, "/root/restore.yaml", restore, 0o600))
	b.soonReady(m, "apply", "--from", "/root/restore.yaml")
	if got := b.sh(m, "cat /srv/data/order"); got != "order 1" {
		b.Errorf("restored: %q", got)
	}
	for _, v := range v {
		if at := b.lab.EC2.Volume(v.ID).Attachments; len(at) > 0 {
			b.Errorf("after the restore, EC2 has %s at %+v", v, at)
		}
	}
	must(b, m.Shutdown(b.ctx))
	b.notOnDisk(m, v)
}

// soonReady runs a command that EC2 may take some seconds to finish, and waits
// until everything is as asked for.
func (b *bench) soonReady(m *lab.Machine, command ...string) {
	b.Helper()
	b.soonSays(m, "READY data: ", command...)
	b.ready(m)
}

// soonSays runs a command that EC2 may take some seconds to finish, and waits
// until status shows a text.
func (b *bench) soonSays(m *lab.Machine, text string, command ...string) {
	b.Helper()
	out, err := m.Run(b.ctx, "bootswain", command...)
	if err != nil || out.Code != 0 && out.Code != 4 {
		b.Errorf("%v: %+v, %v", command, out, err)
	}
	b.waitSentence(m, text)
}

// examined is what doctor finds: nobody keeps the clock of a laboratory machine
// right, and all else is well, until EC2 denies something.
func (b *bench) examined(m *lab.Machine) {
	b.Helper()
	out, err := m.Run(b.ctx, "bootswain", "doctor")
	must(b, err)
	for _, want := range []string{
		"READY launch data: instance metadata service gives 1 user and 1 volume.", "READY identity: this image opens what is sealed to " + baked.agent.Recipient,
		"READY role: gives credentials.", "READY data: EC2 shows vol-", "READY data: its key can be had.", "DEGRADED clock: nothing keeps it right",
		"READY programs: ", "READY kernel: ", "READY units: ", "READY mdadm: ", "READY sshd: ",
	} {
		if !strings.Contains(out.Stdout, want) {
			b.Errorf("doctor does not say %q:\n%s", want, out.Stdout)
		}
	}
	if out.Code != 1 || strings.Count(out.Stdout, "\n  next: ") != 1 {
		b.Errorf("doctor ends with %d, want 1 and one next step:\n%s%s", out.Code, out.Stdout, out.Stderr)
	}

	b.lab.EC2.SetFault(ec2.Fault{Denied: []string{"AttachVolume"}})
	out, err = m.Run(b.ctx, "bootswain", "doctor")
	must(b, err)
	if want := "WAITING data: EC2 denied AttachVolume to role db-prod (UnauthorizedOperation).\n  next: grant ec2:AttachVolume"; !strings.Contains(out.Stdout, want) {
		b.Errorf("doctor does not say %q:\n%s", want, out.Stdout)
	}
	b.lab.EC2.SetFault(ec2.Fault{})
	b.step("doctor:\n%s", out.Stdout)
}
