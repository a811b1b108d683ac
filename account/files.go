package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"bootswain/internal/atomicfile"
	"bootswain/internal/run"
	"bootswain/spec"
)

const (
	keysDir     = "etc/bootswain/keys"
	sudoersDir  = "etc/sudoers.d"
	sudoersFile = "90-bootswain-" // and the user's name, which holds no dot: sudo passes over such files
	heading     = "# Written by bootswain from the launch data; what is changed here is lost.\n"
)

// keys writes the user's keys file. It is root's, and readable by everybody
// because sshd reads it as the user.
func (c *changer) keys(u spec.User) error {
	if err := c.ownDirectory(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(heading)
	var errs []error
	lines := 0
	for _, key := range u.SSHAuthorizedKeys {
		line, err := keyLine(u, key)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.WriteString(line + "\n")
		lines++
	}
	path := c.path(keysDir, u.Name)
	if lines == 0 {
		return errors.Join(append(errs, c.remove(u.Name, path, "SSH keys"))...)
	}
	changed, err := put(path, b.String(), 0o644)
	if changed && err == nil {
		c.changed(u.Name, "%d SSH keys written", lines)
	}
	return errors.Join(append(errs, err)...)
}

// keyLine adds the user's expiry to an authorized_keys line. The Z for UTC is
// known since OpenSSH 9.1; an older sshd refuses the key at once, which is the
// safe side. Of several expiry times sshd takes the earliest (sshd(8)).
func keyLine(u spec.User, key string) (string, error) {
	if strings.ContainsAny(key, "\r\n\x00") {
		return "", errors.New("a key is more than one line")
	}
	_, _, options, _, err := ssh.ParseAuthorizedKey([]byte(key))
	if err != nil {
		return "", errors.New("a key is not a line of authorized_keys")
	}
	if u.Expires.IsZero() {
		return key, nil
	}
	separator := " "
	if len(options) > 0 {
		separator = ","
	}
	return fmt.Sprintf(`expiry-time="%s"%s%s`, u.Expires.UTC().Format("20060102150405Z"), separator, strings.TrimSpace(key)), nil
}

// ownDirectory makes the keys directory. A link in its place could lead writes
// anywhere, so only real directories will do.
func (c *changer) ownDirectory() error {
	for _, dir := range []string{filepath.Dir(keysDir), keysDir} {
		path := c.path(dir)
		if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("/%s is not a directory; no keys are written", dir)
		}
		if info.Mode().Perm() != 0o755 {
			if err := os.Chmod(path, 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

// sudo writes the user's sudo rules, or removes them if there are none. Rules
// that visudo does not accept never reach their place: sudo would refuse
// everybody.
func (c *changer) sudo(ctx context.Context, u spec.User) error {
	path := c.path(sudoersDir, sudoersFile+u.Name)
	if len(u.Sudo) == 0 {
		return c.remove(u.Name, path, "sudo")
	}
	if info, err := os.Stat(c.path(sudoersDir)); err != nil || !info.IsDir() {
		return fmt.Errorf("cannot give sudo: /%s does not exist; is sudo installed?", sudoersDir)
	}
	var b strings.Builder
	b.WriteString(heading)
	for _, rule := range u.Sudo {
		if strings.ContainsAny(rule, "\r\n\x00") {
			return errors.New("cannot give sudo: a rule is more than one line")
		}
		b.WriteString(u.Name + " " + rule + "\n")
	}
	if isWritten(path, b.String(), 0o440) {
		return nil
	}
	if err := c.checkSudoers(ctx, path, b.String()); err != nil {
		return fmt.Errorf("cannot give sudo: %w", err)
	}
	changed, err := put(path, b.String(), 0o440)
	if changed && err == nil {
		c.changed(u.Name, "sudo rules written")
	}
	return err
}

// checkSudoers asks visudo about the text in a file beside path, whose name
// holds a dot, so that sudo passes over it.
func (c *changer) checkSudoers(ctx context.Context, path, text string) error {
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".check")
	defer os.Remove(tmp)
	if err := atomicfile.Write(tmp, []byte(text), 0o440); err != nil {
		return err
	}
	_, err := c.Run.Run(ctx, run.Cmd{Name: "visudo", Args: []string{"--check", "--file=" + tmp}})
	return err
}

// revoke removes the keys and sudo rules of everybody who is not named, and
// what a crash left of files half written.
func (c *changer) revoke(everybody []person) {
	named := func(name string) bool {
		return slices.ContainsFunc(everybody, func(p person) bool { return p.Name == name })
	}
	for _, own := range []struct{ dir, prefix, what string }{{keysDir, "", "SSH keys"}, {sudoersDir, sudoersFile, "sudo"}} {
		entries, err := os.ReadDir(c.path(own.dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.errs = append(c.errs, fmt.Errorf("cannot look for %s of former users: %w", own.what, err))
		}
		for _, e := range entries {
			path := c.path(own.dir, e.Name())
			name, ours := strings.CutPrefix(e.Name(), own.prefix)
			switch {
			case strings.HasPrefix(e.Name(), "."+own.prefix): // half written; if it stays, it does no harm
				os.Remove(path)
			case ours && !named(name):
				if err := c.remove(name, path, own.what); err != nil {
					c.errs = append(c.errs, fmt.Errorf("cannot take %s from user %s: %w", own.what, name, err))
				}
			}
		}
	}
}

// remove removes a file of ours; a link in its place goes, its target stays.
func (c *changer) remove(name, path, what string) error {
	err := os.Remove(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	c.changed(name, "%s removed", what)
	return nil
}

// isWritten tells whether path is a regular file with this text and mode.
func isWritten(path, text string, mode fs.FileMode) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != mode {
		return false
	}
	old, err := os.ReadFile(path)
	return err == nil && bytes.Equal(old, []byte(text))
}

// put writes path if it is not as wanted. A link in its place is replaced,
// never followed.
func put(path, text string, mode fs.FileMode) (changed bool, err error) {
	if isWritten(path, text, mode) {
		return false, nil
	}
	return true, atomicfile.Write(path, []byte(text), mode)
}
