package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bootswain/internal/run"
	"bootswain/spec"
)

// sudo writes the user's sudo rules, or removes them if there are none. Rules
// that visudo does not accept never reach their place: sudo would refuse
// everybody.
func (c *changer) sudo(ctx context.Context, u spec.User) error {
	path := c.path(sudoersDir, sudoersFile+u.Name)
	if len(u.Sudo) == 0 {
		return c.remove(u.Name, path, "sudo")
	}
	if err := c.isDirectory(sudoersDir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot give sudo: /%s does not exist; is sudo installed?", sudoersDir)
	} else if err != nil {
		return fmt.Errorf("cannot give sudo: %w", err)
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
	// Of two people with the same rules only the names differ.
	if rules := strings.Join(u.Sudo, "\n"); !c.accepted[rules] {
		if err := c.checkSudoers(ctx, path, b.String()); err != nil {
			return fmt.Errorf("cannot give sudo: %w", err)
		}
		c.accepted[rules] = true
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
	remove := func() { _ = os.Remove(tmp) }
	remove() // what a crash left
	defer remove()
	// No need to flush it as atomicfile does: it is looked at once.
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o440)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = c.Run.Run(ctx, run.Cmd{Name: "visudo", Args: []string{"--check", "--file=" + tmp}})
	if exit, ok := errors.AsType[*run.ExitError](err); ok {
		words, _, _ := strings.Cut(strings.ReplaceAll(exit.Stderr, tmp+":", ""), "\n")
		return fmt.Errorf("visudo refuses the rules: %s", words)
	}
	return err
}
