package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"bootswain/account"
)

// accessPatience is how long the people wait for the metadata service before
// the boot goes on without them; the daemon keeps asking.
const accessPatience = 20 * time.Second

// Access lets the people of the launch data in. It touches no disk and does
// not wait for any.
func (a *Agent) Access(ctx context.Context) error {
	sshd := a.setUpSSHD(ctx)
	patience, cancel := context.WithTimeout(ctx, accessPatience)
	defer cancel()
	data, err := a.launchData(patience, func(error) {})
	if err != nil {
		return errors.Join(unreachable(err), sshd)
	}
	o := read(data)
	err = errors.Join(a.admit(ctx, o), sshd)
	a.sayLogin(a.names(o))
	if o.trouble != nil {
		err = errors.Join(o.trouble, err)
	}
	return err
}

// names are those who may log in, the owner of the key pair first.
func (a *Agent) names(o orders) (names []string) {
	if len(o.data.PublicKeys) > 0 {
		names = append(names, a.config.DefaultUser)
	}
	for _, u := range o.spec.Users {
		if !slices.Contains(names, u.Name) {
			names = append(names, u.Name)
		}
	}
	return names
}

// admit creates the users of o and installs their keys and the EC2 key pair.
// From faulty launch data the sound entries are taken, and nobody loses access
// over a typing error. The lock is not that of the volumes: people never wait
// for storage.
func (a *Agent) admit(ctx context.Context, o orders) error {
	people := lock{path: peopleLockFile, who: a.who}
	release, err := people.take(ctx, nil)
	if err != nil {
		return err
	}
	defer release()
	host := account.Host{Run: a.run, Root: "/", Keep: o.trouble != nil}
	changes, err := account.Apply(ctx, host, o.spec.Users, o.data.PublicKeys, a.config.DefaultUser)
	for _, c := range changes {
		a.say("%s", c)
	}
	return err
}
