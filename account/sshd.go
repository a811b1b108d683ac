package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"bootswain/internal/run"
)

const (
	sshdConfig  = "etc/ssh/sshd_config"
	sshdDropIns = "etc/ssh/sshd_config.d"
	sshdDropIn  = "10-bootswain.conf" // of a setting sshd takes the first value, so this sorts before the drop-ins of others
)

// dropIn is what sshd is told. AuthorizedKeysCommand is not in it: EC2 Instance
// Connect has its own.
func dropIn(rootLogin bool) string {
	root := "no"
	if rootLogin {
		root = "prohibit-password"
	}
	return "# Written by bootswain; what is changed here is lost. The keys that it gives are\n" +
		"# kept apart from those that people put into their home directories.\n" +
		"AuthorizedKeysFile .ssh/authorized_keys /" + keysDir + "/%u\n" +
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin " + root + "\n"
}

// SSHD makes sshd read the keys that Apply writes, take no password and let root
// in only with rootLogin, and then only with a key. It asks sshd itself whether it
// takes the drop-in before that stands, and otherwise puts back what was there;
// and what came of it, for another file may say otherwise. changed means that an
// sshd that runs has to read its configuration anew. Where there is no sshd there
// is nothing to do.
func SSHD(ctx context.Context, h Host, rootLogin bool) (changed bool, err error) {
	if _, err := os.Stat(h.path(sshdConfig)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	path, text := h.path(sshdDropIns, sshdDropIn), dropIn(rootLogin)
	if !isWritten(path, text, 0o644) {
		c := changer{Host: h}
		if err := c.isDirectory(sshdDropIns); err != nil {
			return false, fmt.Errorf("cannot set sshd up: %w", err)
		}
		if err := h.tryDropIn(ctx, path, text); err != nil {
			return false, fmt.Errorf("cannot set sshd up: %w", err)
		}
		changed = true
	}
	return changed, h.CheckSSHD(ctx, rootLogin)
}

// tryDropIn writes the drop-in, and puts back what was there if that is what
// sshd does not take. Faults of a configuration come before all others that
// "sshd -t" finds, such as host keys that are not made yet.
func (h Host) tryDropIn(ctx context.Context, path, text string) error {
	old, oldErr := os.ReadFile(path)
	if _, err := put(path, text, 0o644); err != nil {
		return err
	}
	refused := h.sshd(ctx, "-t")
	if refused == nil {
		return nil
	}
	var err error
	if oldErr == nil {
		_, err = put(path, string(old), 0o644)
	} else {
		err = os.Remove(path)
	}
	if err != nil {
		return err
	}
	if without := h.sshd(ctx, "-t"); without != nil && without.Error() == refused.Error() {
		_, err := put(path, text, 0o644) // it has nothing to do with it
		return err
	}
	return fmt.Errorf("%w; /%s/%s was taken back", refused, sshdDropIns, sshdDropIn)
}

// noHostKeys is what sshd says of a machine whose first boot has not come that
// far. It then tells nothing of its settings.
const noHostKeys = "no hostkeys available"

// CheckSSHD asks sshd what it makes of all its configuration.
func (h Host) CheckSSHD(ctx context.Context, rootLogin bool) error {
	out, err := h.sshdOutput(ctx, "-T")
	if err != nil {
		if strings.Contains(err.Error(), noHostKeys) {
			return nil
		}
		return fmt.Errorf("cannot tell whether sshd takes passwords: %w", err)
	}
	settings := map[string]string{} // OpenSSH writes their names in small letters before 10.6, then as in its manual
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		settings[strings.ToLower(name)] = value
	}
	var wrong []string
	for _, name := range []string{"passwordauthentication", "kbdinteractiveauthentication"} {
		if v := settings[name]; v != "no" {
			wrong = append(wrong, name+" "+v)
		}
	}
	if v := settings["permitrootlogin"]; v != "no" && !rootLogin {
		wrong = append(wrong, "permitrootlogin "+v)
	}
	if v := settings["authorizedkeysfile"]; !strings.Contains(v, "/"+keysDir+"/%u") {
		wrong = append(wrong, "authorizedkeysfile "+v)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("sshd -T says %s: another file goes before /%s/%s, or /%s does not include it",
			strings.Join(wrong, ", "), sshdDropIns, sshdDropIn, sshdConfig)
	}
	return nil
}

func (h Host) sshd(ctx context.Context, flag string) error {
	_, err := h.sshdOutput(ctx, flag)
	return err
}

// sshdOutput runs sshd, by a path because it wants one. The directory that its
// unit makes, and without which it says nothing, may not be there yet.
func (h Host) sshdOutput(ctx context.Context, flag string) ([]byte, error) {
	for made := false; ; made = true {
		out, err := h.Run.Run(ctx, run.Cmd{Name: "/usr/sbin/sshd", Args: []string{flag}})
		exit, ok := errors.AsType[*run.ExitError](err)
		if !ok {
			return out, err
		}
		words := strings.ReplaceAll(exit.Stderr, "\r", "")
		if _, dir, ok := strings.Cut(words, "Missing privilege separation directory: "); ok && !made {
			if err := os.MkdirAll(h.path(strings.TrimSpace(dir)), 0o755); err != nil {
				return nil, err
			}
			continue
		}
		if strings.Contains(words, noHostKeys) { // after a line for each
			words = noHostKeys
		}
		words, _, _ = strings.Cut(words, "\n")
		return nil, fmt.Errorf("sshd %s: %s", flag, words)
	}
}
