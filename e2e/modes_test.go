package e2e

import (
	"fmt"
	"strings"
	"testing"

	"bootswain/lab"
)

// TestModes is one machine with a volume that is not encrypted and with scratch
// on its own disks: both are said aloud, one comes back with its bytes after a
// reboot and the other without, and neither goes down under a process.
func TestModes(t *testing.T) {
	b := open(t)
	disks := b.volumes(1, 320<<20)
	plain := fmt.Sprintf("  plain:\n    ebs: {ids: %s}\n    create: if_blank\n    encryption: none\n    mount: /srv/plain\n", ids(disks))
	for range 2 {
		v, err := b.lab.InstanceStore(192 << 20)
		must(b, err)
		disks = append(disks, v)
	}
	scratch := "  scratch:\n    instance_store: 2\n    encryption: ephemeral\n    mount: /mnt/scratch\n"
	m := b.start(lab.MachineOptions{Append: noDatabase, Volumes: disks, UserData: b.document(plain+scratch, "")})
	b.ready(m)
	status := b.sh(m, "bootswain status")
	for _, want := range []string{
		"READY plain: mounted on /srv/plain, not encrypted, as the launch data asks.", "└─ not encrypted",
		"READY scratch: mounted on /mnt/scratch, scratch: lost when it is taken down, and with each boot.",
	} {
		if !strings.Contains(status, want) {
			b.Errorf("status does not say %q:\n%s", want, status)
		}
	}
	b.sh(m, "echo kept > /srv/plain/file; echo lost > /mnt/scratch/file; sync")
	b.sh(m, "systemd-run --quiet --unit holder --working-directory=/srv/plain --slice=user.slice sleep infinity")
	out, err := m.Run(b.ctx, "bootswain", "down", "plain")
	must(b, err)
	if out.Code != 3 || !strings.Contains(out.Stdout+out.Stderr, "REFUSED plain: it is in use by sleep (") {
		b.Errorf("down under a process: exit status %d, %s%s", out.Code, out.Stdout, out.Stderr)
	}
	b.sh(m, "findmnt -n /srv/plain; systemctl stop holder; bootswain down plain; ! findmnt -n /srv/plain; bootswain up plain; grep kept /srv/plain/file")
	b.step("down and up")
	must(b, m.Reboot(b.ctx))
	b.ready(m)
	b.sh(m, "grep kept /srv/plain/file; findmnt -n /mnt/scratch; ! ls /mnt/scratch/file")
	if plan := b.sh(m, "bootswain plan --json"); strings.Count(plan, `"steps": []`) != 2 {
		b.Errorf("there is still to do: %s", plan)
	}
	b.step("after a reboot one has its bytes, the other has none")
}
