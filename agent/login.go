package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"bootswain/account"
)

// setUpSSHD makes sshd take the keys that are given, and no passwords.
func (a *Agent) setUpSSHD(ctx context.Context) error {
	changed, err := account.SSHD(ctx, account.Host{Run: a.run, Root: "/"}, a.config.SSH.RootLogin)
	if !changed {
		return err
	}
	errs := []error{err}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // whatever keeps sshd from it, people are let in
	defer cancel()
	for _, unit := range []string{"ssh.service", "sshd.service"} { // Debian's name, and everybody else's
		errs = append(errs, a.units.Reload(ctx, unit))
	}
	return errors.Join(errs...)
}

// sayLogin tells the console how to log in, and by what to know this machine.
func (a *Agent) sayLogin(names []string) {
	if len(names) == 0 {
		return
	}
	line := "log in: ssh " + names[0] + "@" + address()
	if others := names[1:]; len(others) > 0 {
		const shown = 4
		line += " (or " + strings.Join(others[:min(shown, len(others))], ", ")
		if more := len(others) - shown; more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		line += ")"
	}
	a.say("%s", line)
	for _, key := range hostKeys("/etc/ssh") {
		a.say("  host key %s", key)
	}
}

// hostKeys returns the fingerprints of sshd's host keys, as ssh shows them to
// who logs in for the first time.
func hostKeys(dir string) (keys []string) {
	files, _ := filepath.Glob(filepath.Join(dir, "ssh_host_*_key.pub")) // the pattern is sound
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if key, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
			keys = append(keys, fmt.Sprintf("%s (%s)", ssh.FingerprintSHA256(key), key.Type()))
		}
	}
	return keys
}

// address is the machine's own: of IPv4 before IPv6, and one that is good beyond
// the link before one that is not. Without any it is what is to be filled in.
func address() string {
	all, _ := net.InterfaceAddrs() // without addresses nobody logs in anyway
	best, rank := "ADDRESS", 0
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() {
			continue
		}
		r := 1
		if p.Addr().IsGlobalUnicast() {
			r += 2
		}
		if p.Addr().Is4() {
			r++
		}
		if r > rank {
			best, rank = p.Addr().String(), r
		}
	}
	return best
}
