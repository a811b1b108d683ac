package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bootswain/spec"
)

// keys writes the user's keys file, also if it holds no key. It is root's, and
// readable by everybody because sshd reads it as the user.
func (c *changer) keys(u spec.User) error {
	if err := c.ownDirectory(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(heading)
	var errs []error
	lines := 0
	for _, key := range u.SSHAuthorizedKeys {
		key = strings.TrimSpace(key)
		// The launch data's were checked when it was read, those of the EC2 key
		// pair were not.
		if err := spec.CheckSSHKey(key); err != nil {
			errs = append(errs, fmt.Errorf("a key %w", err))
			continue
		}
		b.WriteString(spec.ExpiringSSHKey(key, u.Expires) + "\n")
		lines++
	}
	path := c.path(keysDir, u.Name)
	_, absent := os.Lstat(path)
	changed, err := put(path, b.String(), 0o644)
	switch {
	case !changed || err != nil:
	case lines > 0:
		c.changed(u.Name, "%d SSH keys written", lines)
	case absent == nil:
		c.changed(u.Name, "SSH keys removed")
	}
	return errors.Join(append(errs, err)...)
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
