// Package account lets the right people in: it creates users and groups,
// writes their SSH keys and sudo rules, and takes both away from people who
// are no longer named.
//
// It owns /etc/bootswain/keys/USER, which sshd reads beside people's own
// authorized_keys, /etc/sudoers.d/90-bootswain-USER and sshd's drop-in. It never
// deletes an account, a home or a group, never takes anybody out of a group, and
// never touches a system account (user id below 1000). A supplementary group that
// does not exist is created. A second run with the same users changes nothing.
//
// Everybody whom it ever let in has a keys file, be it one without keys: that
// is how it knows whose account to close when they are no longer named.
package account

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"bootswain/internal/run"
	"bootswain/spec"
)

// Host is the machine whose accounts are managed.
type Host struct {
	Run  run.Runner
	Root string // "/"; where etc/passwd and the other files are found
	Keep bool   // the users given may not be everybody, so nobody loses access
	End  bool   // the sessions of those who lose their access end with it
}

func (h Host) path(elem ...string) string {
	return filepath.Join(append([]string{h.Root}, elem...)...)
}

// The account of the EC2 key pair may do what the default user of a cloud
// image may.
const defaultUserSudo = "ALL=(ALL) NOPASSWD:ALL"

// Apply makes the machine's accounts as users says. The keys of the EC2 key
// pair go to defaultUser, which is created if absent; if users names it too,
// that entry counts and gets these keys besides.
//
// Whom Apply once let in and who is not named any more loses keys and sudo rules,
// and the account is closed for every way of logging in, unless h.Keep. A caller
// that could not read the launch data must not call Apply.
//
// It returns what was changed, one line each. One user's failure does not stop
// the others; the errors are joined, and each names its user.
func Apply(ctx context.Context, h Host, users []spec.User, keyPair []string, defaultUser string) ([]string, error) {
	everybody := withDefault(users, keyPair, defaultUser)
	c := changer{Host: h, accepted: map[string]bool{}}
	if !h.Keep {
		c.revoke(ctx, everybody)
	}
	for _, p := range everybody {
		if err := c.person(ctx, p); err != nil {
			c.errs = append(c.errs, fmt.Errorf("cannot set up user %s: %w", p.Name, err))
		}
	}
	return c.changes, errors.Join(c.errs...)
}

// person is a user, and whether the user is only the key pair's owner, whose
// account is otherwise the image's business.
type person struct {
	spec.User
	byKeyPair bool
}

func withDefault(users []spec.User, keyPair []string, defaultUser string) []person {
	var everybody []person
	for _, u := range users {
		if u.Name == defaultUser {
			u.SSHAuthorizedKeys = unite(u.SSHAuthorizedKeys, keyPair)
		}
		everybody = append(everybody, person{User: u})
	}
	named := slices.ContainsFunc(users, func(u spec.User) bool { return u.Name == defaultUser })
	if named || defaultUser == "" || len(keyPair) == 0 {
		return everybody
	}
	u := spec.User{Name: defaultUser, Sudo: []string{defaultUserSudo}, SSHAuthorizedKeys: unite(nil, keyPair)}
	return append([]person{{User: u, byKeyPair: true}}, everybody...)
}

func unite(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if s = strings.TrimSpace(s); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// changer carries Apply out and notes what it changed.
type changer struct {
	Host
	changes  []string
	errs     []error
	accepted map[string]bool // sudo rules that visudo takes
}

func (c *changer) changed(name, format string, args ...any) {
	c.changes = append(c.changes, name+": "+fmt.Sprintf(format, args...))
}

// person sets one user up. Keys and sudo are given even if an account that is
// there could not be brought up to date, since somebody has to be able to log
// in and see to it.
func (c *changer) person(ctx context.Context, p person) error {
	if p.Name == "" || p.Name == "." || p.Name == ".." || strings.ContainsAny(p.Name, "/\x00\n") || p.Name[0] == '-' {
		return fmt.Errorf("%q cannot be a user's name", p.Name)
	}
	db, err := readDatabase(c.Host)
	if err != nil {
		return err
	}
	old, exists := db.users[p.Name]
	if exists && (old.uid < firstUID || old.uid == nobodyUID) {
		return fmt.Errorf("user id %d is a system account, which is left alone", old.uid)
	}
	err = c.account(ctx, db, p)
	if db, readErr := readDatabase(c.Host); readErr != nil {
		return errors.Join(err, readErr)
	} else if _, exists = db.users[p.Name]; !exists {
		return errors.Join(err, errors.New("there is no such account after creating it"))
	}
	return errors.Join(err, c.keys(p.User), c.sudo(ctx, p.User))
}
