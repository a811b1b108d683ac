package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"bootswain/lab"
)

// logIn opens the SSH connection of this boot, in place of the last one's.
func (d *Demo) logIn(ctx context.Context) error {
	d.hangUp()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return d.Screen.Wait("SSH", func(func(string)) (err error) {
		if d.client, err = lab.DialSSH(ctx, d.status.SSH, user, d.Signer); err != nil {
			return fmt.Errorf("ssh %s: expected to be let in; saw: %w", user, err)
		}
		before := d.boot
		if d.boot, err = d.ssh(ctx, "cat /proc/sys/kernel/random/boot_id"); err == nil && d.boot == before {
			err = fmt.Errorf("boot: expected a new one; saw %s still running", d.boot)
		}
		return err
	})
}

func (d *Demo) hangUp() {
	if d.client != nil {
		d.client.Close() // the machine may be gone already
		d.client = nil
	}
}

// ssh runs a command as ops and returns what it prints, without the last
// line's end. One that fails is an error.
func (d *Demo) ssh(ctx context.Context, command string) (string, error) {
	return d.session(ctx, command, nil, false)
}

// sql runs statements as the database's root and returns tab-separated lines.
func (d *Demo) sql(ctx context.Context, statements string) (string, error) {
	return d.session(ctx, "sudo -n mariadb -N -B", strings.NewReader(statements), false)
}

// session is ssh with standard input. With pty the command finds a terminal
// like ours, if ours is one.
func (d *Demo) session(ctx context.Context, command string, stdin io.Reader, pty bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := d.client.NewSession()
	if err != nil {
		return "", fmt.Errorf("ssh %s: %w", user, err)
	}
	defer s.Close()
	if width := d.Screen.width(); pty && width > 0 {
		if err := s.RequestPty("xterm", 50, width, ssh.TerminalModes{}); err != nil {
			return "", err
		}
	}
	// Closing a session whose machine hangs waits; closing the connection
	// does not.
	stop := context.AfterFunc(ctx, func() { d.client.Close() })
	defer stop()
	var stdout, stderr bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = stdin, &stdout, &stderr
	if err := s.Run(command); err != nil {
		return "", fmt.Errorf("%s: expected it to succeed; saw: %w\n%s%s", command, err, stdout.String(), stderr.String())
	}
	return strings.TrimRight(strings.ReplaceAll(stdout.String(), "\r\n", "\n"), "\n"), nil
}
