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

	"bootswain/internal/atomicfile"
)

const (
	keysDir     = "etc/bootswain/keys"
	sudoersDir  = "etc/sudoers.d"
	sudoersFile = "90-bootswain-" // and the user's name, which holds no dot: sudo passes over such files
	heading     = "# Written by bootswain from the launch data; what is changed here is lost.\n"
)

// isDirectory fails unless dir is a directory itself: a link in its place
// could lead anywhere what is written and removed below it.
func (c *changer) isDirectory(dir string) error {
	info, err := os.Lstat(c.path(dir))
	if err == nil && !info.IsDir() {
		return fmt.Errorf("/%s is not a directory; nothing below it is touched", dir)
	}
	return err
}

// revoke takes the access from everybody who is not named, and removes what a
// crash left of files half written.
func (c *changer) revoke(ctx context.Context, everybody []person) {
	named := func(name string) bool {
		return slices.ContainsFunc(everybody, func(p person) bool { return p.Name == name })
	}
	var former []string
	for _, own := range []struct{ dir, prefix string }{{keysDir, ""}, {sudoersDir, sudoersFile}} {
		entries, err := c.list(own.dir)
		if err != nil {
			c.errs = append(c.errs, fmt.Errorf("cannot look for former users: %w", err))
		}
		for _, e := range entries {
			name, ours := strings.CutPrefix(e.Name(), own.prefix)
			switch {
			case strings.HasPrefix(e.Name(), "."+own.prefix): // half written; if it stays, it does no harm
				_ = os.Remove(c.path(own.dir, e.Name()))
			case ours && !named(name) && !slices.Contains(former, name):
				former = append(former, name)
			}
		}
	}
	for _, name := range former {
		if err := c.shutOut(ctx, name); err != nil {
			c.errs = append(c.errs, fmt.Errorf("cannot take all access from user %s: %w", name, err))
		}
	}
}

// shutOut takes keys and sudo rules from a user and closes the account. Should
// that fail, an empty keys file stays as the mark that it is to be done.
func (c *changer) shutOut(ctx context.Context, name string) error {
	errs := []error{c.remove(name, c.path(sudoersDir, sudoersFile+name), "sudo")}
	if err := c.closeAccount(ctx, name); err != nil {
		if c.isDirectory(keysDir) == nil {
			_, putErr := put(c.path(keysDir, name), heading, 0o644)
			err = errors.Join(err, putErr)
		}
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, c.remove(name, c.path(keysDir, name), "SSH keys"))...)
}

// list returns what is in dir, which may be absent.
func (c *changer) list(dir string) ([]fs.DirEntry, error) {
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := c.isDirectory(d); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	return os.ReadDir(c.path(dir))
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
