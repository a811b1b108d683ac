package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"bootswain/spec"
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

// ownDirectory makes the keys directory.
func (c *changer) ownDirectory() error {
	for _, dir := range []string{filepath.Dir(keysDir), keysDir} {
		if err := os.Mkdir(c.path(dir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := c.isDirectory(dir); err != nil {
			return err
		}
		if info, err := os.Lstat(c.path(dir)); err != nil || info.Mode().Perm() == 0o755 {
			continue
		}
		if err := os.Chmod(c.path(dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}
