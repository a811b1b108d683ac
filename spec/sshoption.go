package spec

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// sshOptions are the options that an authorized_keys line may begin with, and
// what checks the value of those that take one; sshd(8), AUTHORIZED_KEYS FILE
// FORMAT. sshd refuses a key with an option that it does not know.
var sshOptions = map[string]func(value string) error{
	"agent-forwarding": nil, "cert-authority": nil, "no-agent-forwarding": nil, "no-port-forwarding": nil, "no-pty": nil,
	"no-touch-required": nil, "no-user-rc": nil, "no-x11-forwarding": nil, "port-forwarding": nil, "pty": nil, "restrict": nil,
	"user-rc": nil, "verify-required": nil, "x11-forwarding": nil,
	"command": notEmpty, "environment": notEmpty, "permitlisten": notEmpty, "permitopen": notEmpty, "principals": notEmpty, "tunnel": notEmpty,
	"expiry-time": expiryTime, "from": fromPatterns,
}

const (
	certAuthority = "cert-authority"
	principals    = "principals"
)

// checkSSHOptions says why sshd would refuse a key for its options. Of a
// value it repeats nothing: a command may hold a password.
func checkSSHOptions(options []string) error {
	var names []string
	for _, option := range options {
		name, value, valued := strings.Cut(option, "=")
		name = strings.ToLower(name) // as sshd does
		check, known := sshOptions[name]
		switch {
		case !known:
			return fmt.Errorf("has the option %s, which sshd does not know%s", show(name), meant(name))
		case check == nil && valued:
			return fmt.Errorf("has the option %s with a value, which it does not take", name)
		case check != nil && (len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"'):
			return fmt.Errorf(`has the option %s without a value in quotes: %s="…"`, name, name)
		case check != nil:
			if err := check(strings.ReplaceAll(value[1:len(value)-1], `\"`, `"`)); err != nil {
				return fmt.Errorf("has the option %s whose value %w", name, err)
			}
		}
		names = append(names, name)
	}
	if slices.Contains(names, principals) && !slices.Contains(names, certAuthority) {
		return errors.New("has the option principals without cert-authority, where it means nothing")
	}
	return nil
}

func meant(name string) string {
	if hint := nearest(name, slices.Sorted(maps.Keys(sshOptions))); hint != "" {
		return " (" + hint + "?)"
	}
	return ""
}

func notEmpty(value string) error {
	if value == "" {
		return errors.New("is empty")
	}
	return nil
}

// sshTime is the form that is written: UTC, which sshd knows since OpenSSH 9.1.
const sshTime = "20060102150405Z"

func expiryTime(value string) error {
	layout := strings.TrimSuffix(sshTime, "Z")
	digits := strings.TrimSuffix(value, "Z")
	if n := len(digits); n == 8 || n == 12 || n == 14 {
		if _, err := time.Parse(layout[:n], digits); err == nil {
			return nil
		}
	}
	return errors.New("is no time as in 20270131, 202701311200 or 20270131120000Z")
}

// fromPatterns checks the networks among the patterns: one that is wrong makes
// sshd refuse the key.
func fromPatterns(value string) error {
	for pattern := range strings.SplitSeq(value, ",") {
		pattern = strings.TrimPrefix(pattern, "!")
		if pattern == "" {
			return errors.New("has an empty entry")
		}
		if !strings.Contains(pattern, "/") {
			continue
		}
		network, err := netip.ParsePrefix(pattern)
		if err != nil {
			return fmt.Errorf("has %s, which is no network", show(pattern))
		}
		if network != network.Masked() {
			return fmt.Errorf("has %s, whose address has bits beyond its length (%s?)", show(pattern), network.Masked())
		}
	}
	return nil
}

// ExpiringSSHKey returns the authorized_keys line with an expiry, or as it is
// for the zero time. An sshd that does not know the Z for UTC refuses the key
// at once, which is the safe side. Of several expiry times the earliest counts
// (sshd(8)).
func ExpiringSSHKey(line string, expires time.Time) string {
	if expires.IsZero() {
		return line
	}
	separator := ","
	if words := strings.Fields(line); len(words) > 0 && slices.Contains(sshKeyTypes, words[0]) {
		separator = " "
	}
	return fmt.Sprintf(`expiry-time="%s"%s%s`, expires.UTC().Format(sshTime), separator, line)
}
