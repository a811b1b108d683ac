package agent

import (
	"context"
	"errors"
	"time"

	"bootswain/account"
)

// accessPatience is how long the people wait for the metadata service before
// the boot goes on without them; the daemon keeps asking.
const accessPatience = 20 * time.Second

// Access lets the people of the launch data in. It touches no disk and does
// not wait for any.
func (a *Agent) Access(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, accessPatience)
	defer cancel()
	data, err := a.launchData(patience, func(error) {})
	if err != nil {
		return unreachable(err)
	}
	o := read(data)
	err = a.admit(ctx, o)
	if o.trouble != nil {
		err = errors.Join(o.trouble, err)
	}
	return err
}

// admit creates the users of o and installs their keys and the EC2 key pair.
func (a *Agent) admit(ctx context.Context, o orders) error {
	changes, err := account.Apply(ctx, account.Host{Run: a.run, Root: "/"}, o.spec.Users, o.data.PublicKeys, a.config.DefaultUser)
	for _, c := range changes {
		a.say("%s", c)
	}
	return err
}
