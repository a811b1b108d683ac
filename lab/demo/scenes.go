package demo

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"bootswain/lab"
)

// people logs in, and tries it with a key that nobody named.
func (d *Demo) people(ctx context.Context) error {
	id, err := d.ssh(ctx, "id")
	if err != nil {
		return err
	}
	d.Screen.Pass("ssh %s: %s", user, id)
	root, err := d.ssh(ctx, "sudo -n id")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(id, "uid=") || !strings.Contains(id, "("+user+")") || !strings.HasPrefix(root, "uid=0(") {
		return fmt.Errorf("id: expected %s, and root by sudo; saw %s and %s", user, id, root)
	}
	d.Screen.Pass("ssh %s sudo id: %s", user, root)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	stranger, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	c, err := lab.DialSSH(ctx, d.status.SSH, user, stranger)
	if err == nil {
		c.Close()
		return fmt.Errorf("ssh %s with a stranger's key: expected to be refused; saw that it was let in", user)
	}
	if !lab.Refused(err) {
		return fmt.Errorf("ssh %s with a stranger's key: expected to be refused; saw: %w", user, err)
	}
	d.Screen.Pass("ssh %s with a stranger's key: refused", user)
	return nil
}

// storage shows the tree, and compares it with the volumes that were attached
// and with what the kernel has mounted.
func (d *Demo) storage(ctx context.Context) error {
	status, err := d.session(ctx, "bootswain status", nil, true)
	if err != nil {
		return err
	}
	d.Screen.Block(status)
	for _, part := range append([]string{mountPoint, "xfs", "luks", "raid0"}, d.volumes...) {
		if !strings.Contains(status, part) {
			return fmt.Errorf("bootswain status: expected %s in it; saw it without", part)
		}
	}
	for _, place := range []string{mountPoint, "/var/lib/mysql"} {
		mount, err := d.ssh(ctx, "findmnt -n -r -o SOURCE,FSTYPE --mountpoint "+place)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(mount, "/dev/mapper/bootswain-"+volumeName) || !strings.HasSuffix(mount, " xfs") {
			return fmt.Errorf("%s: expected XFS on /dev/mapper/bootswain-%s; saw %s", place, volumeName, mount)
		}
		d.Screen.Pass("the kernel has %s on %s", mount, place)
	}
	return nil
}

// database writes the rows and reads them back.
func (d *Demo) database(ctx context.Context) error {
	server, err := d.sql(ctx, insertRows()+"select concat(version(), ', its files in ', @@datadir);")
	if err != nil {
		return err
	}
	d.Screen.Pass("written: %d rows; the server is %s", rowCount, server)
	return d.sameRows(ctx)
}

// sameRows reads the rows and compares them with what was written.
func (d *Demo) sameRows(ctx context.Context) error {
	line, err := d.sql(ctx, selectRows)
	if err != nil {
		return err
	}
	saw, err := parseRows(line)
	if err != nil {
		return err
	}
	if want := expectedRows(); saw != want {
		return fmt.Errorf("database: expected %s; saw %s", want, saw)
	}
	d.Screen.Pass("read: %s, as written", saw)
	return nil
}

// steps shows the agent's own account of this boot.
func (d *Demo) steps(ctx context.Context) error {
	status, err := d.session(ctx, "bootswain status --steps", nil, true)
	if err != nil {
		return err
	}
	parts := strings.Split(status, "\n\n")
	bars := parts[len(parts)-1]
	if len(parts) < 3 || !strings.Contains(bars, "s ") {
		return fmt.Errorf("bootswain status --steps: expected steps after the tree; saw:\n%s", status)
	}
	if d.Screen.width() == 0 {
		bars = withoutBars(bars)
	}
	d.Screen.Block(bars)
	return nil
}

// withoutBars leaves of each step its name and its seconds.
func withoutBars(bars string) string {
	var b strings.Builder
	for line := range strings.Lines(bars) {
		b.WriteString(strings.TrimRight(strings.ReplaceAll(line, "█", ""), " \n") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// reboot asks the guest to reboot, and looks for everything again.
func (d *Demo) reboot(ctx context.Context) error {
	d.hangUp()
	if err := d.call(ctx, "the machine to reboot", "reboot", struct{}{}, nil); err != nil {
		return err
	}
	if err := d.follow(ctx); err != nil {
		return err
	}
	return d.sameRows(ctx)
}
