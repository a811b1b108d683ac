package agent

import (
	"context"
	"errors"
	"time"

	"bootswain/account"
)

const usersTimer = "bootswain-users.timer"

// Access lets the people of the launch data in, and then those of the list that
// it may point to. It touches no disk and does not wait for any. Launch data that
// cannot be read keeps it for half a minute at most; the daemon goes on asking.
func (a *Agent) Access(ctx context.Context) error {
	sshd := a.setUpSSHD(ctx)
	data, err := a.launchData(ctx, notTooLong, func(error) {})
	if err != nil {
		return errors.Join(unreachable(err), sshd)
	}
	o := a.understand(ctx, data)
	err = errors.Join(a.admit(ctx, o), sshd, publishEnv(envFile, o))
	if o.trouble != nil {
		err = errors.Join(o.trouble, err)
	}
	err = errors.Join(err, a.syncUsers(ctx, o))
	a.sayLogin(a.people(o).names(a.config.DefaultUser))
	return err
}

// people are whom o and the list that was read last let in.
func (a *Agent) people(o orders) people {
	now := time.Now()
	var r roster
	if o.spec.UsersFrom != nil {
		r = loadRoster(usersFile, o, now)
	}
	return whoMay(o, r, now)
}

// admit creates the users of o and installs their keys and the EC2 key pair.
// From faulty launch data the sound entries are taken, and nobody loses access
// over a typing error. The lock is not that of the volumes: people never wait
// for storage.
func (a *Agent) admit(ctx context.Context, o orders) error {
	l := lock{path: peopleLockFile, who: a.who}
	release, err := l.take(ctx, nil)
	if err != nil {
		return err
	}
	defer release()
	p := a.people(o)
	host := account.Host{Run: a.run, Root: "/", Keep: p.keep, End: p.end}
	changes, err := account.Apply(ctx, host, p.users, p.keyPair, a.config.DefaultUser)
	for _, c := range changes {
		a.say("%s", c)
	}
	if o.spec.UsersFrom == nil {
		return errors.Join(err, a.units.Stop(ctx, usersTimer))
	}
	return errors.Join(err, a.units.Repeat(ctx, usersTimer, o.spec.UsersFrom.Every))
}
