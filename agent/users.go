package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"bootswain/internal/cloud"
	"bootswain/internal/reference"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// UsersSync reads the list of users that the launch data points to, and lets in
// whom it names. Where it cannot be read nobody's access changes, until it is too
// old for what the launch data allows.
func (a *Agent) UsersSync(ctx context.Context) error {
	data, err := a.launchData(ctx, notTooLong, func(error) {})
	if err != nil {
		return unreachable(err)
	}
	return a.syncUsers(ctx, a.understand(ctx, data))
}

func (a *Agent) syncUsers(ctx context.Context, o orders) error {
	from := o.spec.UsersFrom
	if from == nil {
		return nil
	}
	doc, err := fetchUsers(ctx, o.data.Region, from.Address)
	now := time.Now()
	r := loadRoster(usersFile, o, now)
	r.Tried, r.Trouble, r.Next, r.Unapplied = now, "", "", ""
	if err == nil {
		r.Read, r.Document = now, doc
	} else {
		r.Trouble, r.Next = err.Error(), next(err)
	}
	errs := []error{r.save(usersFile)}
	if unapplied := a.admit(ctx, o); unapplied != nil {
		r.Unapplied = unapplied.Error()
		errs = append(errs, unapplied, r.save(usersFile))
	}
	if err != nil {
		errs = append(errs, r.sentence(from, now))
	}
	return errors.Join(errs...)
}

// fetchUsers reads a list that is sound.
func fetchUsers(ctx context.Context, region, address string) ([]byte, error) {
	account, err := cloud.Open(ctx, region)
	if err != nil {
		return nil, err
	}
	d, err := reference.Get(ctx, account, address)
	if err == nil {
		_, err = spec.ParseUsers(d.Data)
	}
	return d.Data, err
}

// examineUsers tries to read the list that the launch data points to.
func examineUsers(ctx context.Context, o orders) []*situation.Situation {
	from := o.spec.UsersFrom
	if from == nil {
		return nil
	}
	s := &situation.Situation{Word: situation.Ready, Subject: "users_from", Text: from.Address + " can be read."}
	if _, err := fetchUsers(ctx, o.data.Region, from.Address); err != nil {
		s.Word, s.Text, s.Next = situation.Waiting, from.Address+": "+strings.TrimSuffix(err.Error(), ".")+".", next(err)
	}
	return []*situation.Situation{s}
}

func next(err error) string {
	if f := cloud.Of(err); f != nil {
		return f.Next()
	}
	return "correct the list"
}

// Grant is who gets access for how long, and where the list of users is.
type Grant struct {
	Name string
	Keys string        // file of public keys, a line each; "-" is standard input
	For  time.Duration // 0: until revoked
	Sudo bool
	To   string // address of the list
}

// UsersGrant puts a user into a list, in the place of any entry of that name.
func (a *Agent) UsersGrant(ctx context.Context, g Grant, stdin io.Reader) error {
	keys, err := readKeys(g.Keys, stdin)
	if err != nil {
		return err
	}
	entry := spec.Grant{Name: g.Name, Sudo: g.Sudo, Keys: keys}
	until := "until revoked"
	if g.For > 0 {
		entry.Expires = time.Now().Add(g.For).UTC().Truncate(time.Second)
		until = "until " + entry.Expires.Format(time.RFC3339)
	}
	err = a.editUsers(ctx, g.To, func(doc []byte) ([]byte, error) { return spec.GrantUser(doc, entry) })
	if err == nil {
		a.say("%s: granted %s in %s; machines that read it let %s in with their next look, every %s if nothing else is said",
			g.Name, until, g.To, g.Name, short(spec.DefaultUsersEvery))
	}
	return err
}

// UsersRevoke takes a user out of a list.
func (a *Agent) UsersRevoke(ctx context.Context, name, to string) error {
	found := false
	err := a.editUsers(ctx, to, func(doc []byte) (edited []byte, err error) {
		edited, found, err = spec.RevokeUser(doc, name)
		if err == nil && !found {
			err = fmt.Errorf("%s is not in %s; nothing changed", name, to)
		}
		return edited, err
	})
	if err == nil {
		a.say("%s: revoked in %s; machines that read it refuse %s after their next look, every %s if nothing else is said", name, to, name, short(spec.DefaultUsersEvery))
	}
	return err
}

func (a *Agent) editUsers(ctx context.Context, to string, change func([]byte) ([]byte, error)) error {
	account, err := cloud.Open(ctx, "")
	if err == nil {
		err = reference.Edit(ctx, account, to, change)
	}
	return explained(to, err)
}

// explained gives a failure of AWS its next step.
func explained(address string, err error) error {
	if f := cloud.Of(err); f != nil {
		return &situation.Situation{Word: situation.Failed, Subject: address, Text: err.Error() + ".", Next: f.Next(), Cause: err}
	}
	return err
}

// readKeys reads the lines of a .pub file or of an authorized_keys file.
func readKeys(name string, stdin io.Reader) (keys []string, err error) {
	var text []byte
	if name == "-" {
		text, err = io.ReadAll(stdin)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the key: %w", err)
	}
	if bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		return nil, fmt.Errorf("%s %w", name, spec.CheckSSHKey(string(text)))
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if err := spec.CheckSSHKey(line); err != nil {
			return nil, fmt.Errorf("a line of %s %w", name, err)
		}
		keys = append(keys, line)
	}
	if keys == nil {
		return nil, fmt.Errorf("%s holds no key", name)
	}
	return keys, nil
}

// UsersList prints a list of users, or, without an address, whom this machine
// lets in.
func (a *Agent) UsersList(ctx context.Context, from string) error {
	if from != "" {
		account, err := cloud.Open(ctx, "")
		if err != nil {
			return explained(from, err)
		}
		d, err := reference.Get(ctx, account, from)
		if err != nil {
			return explained(from, err)
		}
		users, err := spec.ParseUsers(d.Data)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		return a.table(people{users: users})
	}
	o, err := a.orders(ctx, "")
	if err != nil {
		return err
	}
	p := a.people(o)
	if err := a.table(p); err != nil || o.spec.UsersFrom == nil {
		return err
	}
	now := time.Now()
	if s := loadRoster(usersFile, o, now).sentence(o.spec.UsersFrom, now); s.Word != situation.Ready {
		return s
	}
	return nil
}

func (a *Agent) table(p people) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tKEYS\tSUDO\tUNTIL")
	if len(p.keyPair) > 0 {
		fmt.Fprintf(w, "%s\t%d\tyes\t(EC2 key pair)\n", a.config.DefaultUser, len(p.keyPair))
	}
	for _, u := range p.users {
		sudo, until := "no", "revoked"
		if len(u.Sudo) > 0 {
			sudo = "yes"
		}
		if !u.Expires.IsZero() {
			until = u.Expires.UTC().Format(time.RFC3339)
			if !u.Expires.After(time.Now()) {
				until += ", expired"
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", u.Name, len(u.SSHAuthorizedKeys), sudo, until)
	}
	return w.Flush()
}

// ParsePeriod reads how long somebody is let in.
func ParsePeriod(text string) (time.Duration, error) {
	d, err := spec.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no period as in 8h, 2d or 1w", text)
	}
	return d, nil
}
