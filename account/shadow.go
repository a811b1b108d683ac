package account

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"bootswain/internal/run"
)

// defaultShell is what people get who ask for none, or for one that is not
// installed.
const defaultShell = "/bin/bash"

// account creates the account, or brings it up to date.
func (c *changer) account(ctx context.Context, db database, p person) error {
	shell, shellErr := c.shell(p)
	if err := c.groups(ctx, db, p); err != nil {
		return err
	}
	var err error
	if old, exists := db.users[p.Name]; exists {
		err = c.update(ctx, db, old, p, shell)
	} else {
		err = c.create(ctx, db, p, shell)
	}
	if err != nil {
		return err
	}
	return shellErr
}

// shell returns the shell to give. A shell that is not there would keep the
// person out, so the default takes its place, and the error says so.
func (c *changer) shell(p person) (string, error) {
	if p.Shell == "" {
		return defaultShell, nil
	}
	if _, err := os.Stat(c.path(p.Shell)); err != nil {
		return defaultShell, fmt.Errorf("the shell %s is not installed; %s is used", p.Shell, defaultShell)
	}
	return p.Shell, nil
}

// groups creates the supplementary groups that do not exist.
func (c *changer) groups(ctx context.Context, db database, p person) error {
	for _, g := range p.Groups {
		if _, exists := db.groups[g]; exists || g == p.Name {
			continue
		}
		if _, err := c.Run.Run(ctx, run.Cmd{Name: "groupadd", Args: []string{g}}); err != nil {
			return err
		}
		c.changed(p.Name, "group %s created", g)
	}
	return nil
}

// create makes the account. Its password is "*", which no password matches.
// The "!" of a locked account would do with UsePAM only: without it sshd
// refuses keys too (sshd(8), "locked").
func (c *changer) create(ctx context.Context, db database, p person, shell string) error {
	args := []string{"--create-home", "--shell", shell, "--password", "*"}
	if _, exists := db.groups[p.Name]; exists {
		args = append(args, "--gid", p.Name)
	} else {
		args = append(args, "--user-group")
	}
	if p.Gecos != "" {
		args = append(args, "--comment", p.Gecos)
	}
	if groups := others(p); len(groups) > 0 {
		args = append(args, "--groups", strings.Join(groups, ","))
	}
	if !p.Expires.IsZero() {
		args = append(args, "--expiredate", firstClosedDay(p.Expires).Format(time.DateOnly))
	}
	if _, err := c.Run.Run(ctx, run.Cmd{Name: "useradd", Args: append(args, p.Name)}); err != nil {
		return err
	}
	c.changed(p.Name, "account created")
	return nil
}

// others are the groups beside the user's own.
func others(p person) []string {
	return slices.DeleteFunc(slices.Clone(p.Groups), func(g string) bool { return g == p.Name })
}

// update changes what differs in an account that exists, in one usermod.
func (c *changer) update(ctx context.Context, db database, old user, p person, shell string) error {
	var args, what []string
	if p.Shell != "" && old.shell != shell {
		args = append(args, "--shell", shell)
		what = append(what, "shell "+shell)
	}
	if p.Gecos != "" && old.gecos != p.Gecos {
		args = append(args, "--comment", p.Gecos)
		what = append(what, "comment")
	}
	missing := slices.DeleteFunc(others(p), func(g string) bool {
		have, exists := db.groups[g]
		return exists && (have.gid == old.gid || slices.Contains(have.members, p.Name))
	})
	if len(missing) > 0 {
		args = append(args, "--append", "--groups", strings.Join(missing, ","))
		what = append(what, "groups "+strings.Join(missing, ", "))
	}
	switch {
	case p.byKeyPair && old.expires != closedDay: // nothing was said about it
	case p.Expires.IsZero() && old.expires != "" && old.expires != "-1":
		args = append(args, "--expiredate", "")
		what = append(what, "expires never")
	case !p.Expires.IsZero() && old.expires != shadowDay(firstClosedDay(p.Expires)):
		day := firstClosedDay(p.Expires).Format(time.DateOnly)
		args = append(args, "--expiredate", day)
		what = append(what, "expires "+day)
	}
	if len(args) == 0 {
		return nil
	}
	if _, err := c.Run.Run(ctx, run.Cmd{Name: "usermod", Args: append(args, p.Name)}); err != nil {
		return err
	}
	c.changed(p.Name, "account changed: %s", strings.Join(what, "; "))
	return nil
}

// closedDay is the expiry of an account that is closed: a day long ago, as
// shadow(5) has it. 0 could be read as "never".
const closedDay = "1"

// closeAccount lets nobody log in to the account any more, by whatever key and
// whoever gave it, and ends its sessions if asked.
func (c *changer) closeAccount(ctx context.Context, name string) error {
	db, err := readDatabase(c.Host)
	if err != nil {
		return err
	}
	u, exists := db.users[name]
	if !exists || u.uid < firstUID || u.uid == nobodyUID {
		return nil
	}
	if u.expires != closedDay {
		if _, err := c.Run.Run(ctx, run.Cmd{Name: "usermod", Args: []string{"--expiredate", closedDate, name}}); err != nil {
			return err
		}
		c.changed(name, "account closed")
	}
	if !c.End {
		return nil
	}
	_, err = c.Run.Run(ctx, run.Cmd{Name: "loginctl", Args: []string{"terminate-user", name}})
	if exit, ok := errors.AsType[*run.ExitError](err); ok && strings.Contains(exit.Stderr, "not logged in") {
		return nil
	}
	if err == nil {
		c.changed(name, "sessions ended")
	}
	return err
}

// closedDate is closedDay as usermod(8) takes it.
const closedDate = "1970-01-02"
