package agent

import (
	"context"
	"errors"
	"fmt"

	"bootswain/ebs"
	"bootswain/internal/cloud"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/spec"
	"bootswain/volume"
)

// choice is a stanza with EC2's answer to what it leaves open.
type choice struct {
	want   spec.Volume          // made of volume ids or device names
	absent map[string]ebs.Place // where EC2 has volumes that are not here
}

// cloud returns EC2 as this instance reaches it, or nil where it is not known
// which instance this is.
func (a *Agent) cloud(ctx context.Context, data launch.Data) *ebs.EC2 {
	if data.InstanceID == "" || data.Region == "" {
		return nil
	}
	account, err := cloud.Open(ctx, data.Region)
	if err != nil {
		a.say("EC2 cannot be asked: %v", err)
		return nil
	}
	return ebs.Connect(account.In(data.Region), data.Zone, data.InstanceID)
}

// needsEC2 tells whether only EC2 knows which volumes are meant.
func needsEC2(want spec.EBS) bool { return want.Restore != "" || len(want.Tags) > 0 }

// choose finds out which volumes a stanza means, and where those are that are
// not here. With attach it makes and attaches what it finds. Where EC2 cannot be
// asked, a stanza that names its volumes is as it was, and for others an
// attached set that calls itself by the stanza's name will do: it is what a
// machine without launch data would bring up.
func (a *Agent) choose(ctx context.Context, c *ebs.EC2, want spec.Volume, attach bool) (choice, error) {
	chosen := choice{want: want}
	if c != nil {
		a.storage.EBS.Learn(ctx, c.Attached, a.ephemeral)
	}
	if needsEC2(want.EBS) {
		ids, err := a.find(ctx, c, want.EBS, attach)
		if errors.Is(err, ebs.ErrUnanswered) {
			if set := a.attachedSet(ctx, want); set != nil {
				ids, err = set, nil
			}
		}
		if err != nil {
			return chosen, subject(err, want.Name)
		}
		chosen.want.EBS = spec.EBS{IDs: ids}
	}
	if missing := a.missing(chosen.want.EBS.IDs); c != nil && len(missing) > 0 {
		chosen.absent, _ = c.Where(ctx, missing) // where EC2 does not say, there is just less to tell
	}
	return chosen, nil
}

// ephemeral asks which device names of a Xen instance are instance storage.
func (a *Agent) ephemeral(ctx context.Context) (map[string]string, error) {
	return launch.Ephemeral(ctx, a.source())
}

// meant returns a known volume, made of the devices that its stanza means. It
// attaches nothing.
func (a *Agent) meant(ctx context.Context, name string) (spec.Volume, error) {
	asked, want, _, err := a.known(ctx, name)
	if err != nil || !needsEC2(want.EBS) && len(a.storage.EBS.Strangers()) == 0 {
		return want, err
	}
	chosen, err := a.choose(ctx, a.cloud(ctx, asked.data), want, false)
	return chosen.want, err
}

// find asks EC2 which volumes are meant.
func (a *Agent) find(ctx context.Context, c *ebs.EC2, want spec.EBS, attach bool) (ids []string, err error) {
	if c == nil {
		return nil, &situation.Situation{Word: situation.Waiting, Cause: ebs.ErrUnanswered,
			Text: "EC2 cannot be asked for its volumes: nobody said which instance this is.", Next: "launch it on EC2, or name ids or devices"}
	}
	var set []ebs.Volume
	switch {
	case len(want.Tags) > 0:
		set, err = c.Find(ctx, want.Tags, want.Count)
	case attach:
		set, err = c.Restore(ctx, want.Restore)
	default:
		set, err = c.Restored(ctx, want.Restore)
	}
	if err == nil && attach {
		err = c.Claim(ctx, set)
	}
	for _, v := range set {
		ids = append(ids, v.ID)
	}
	return ids, err
}

// attachedSet returns the volume ids of a whole, ready set of the stanza's name
// among the attached devices, or nil.
func (a *Agent) attachedSet(ctx context.Context, want spec.Volume) []string {
	found, _, err := volume.Discover(ctx, a.storage, nil)
	if err != nil {
		a.say("%s: looking for an attached set of this name: %v", want.Name, err)
	}
	for _, v := range found {
		if v.Name == want.Name && (want.EBS.Count == 0 || want.EBS.Count == len(v.EBS.IDs)) {
			return v.EBS.IDs
		}
	}
	return nil
}

// missing returns those of the volumes that the kernel does not show.
func (a *Agent) missing(ids []string) []string {
	chosen, _ := a.storage.EBS.Choose(ids, nil) // whoever looks at the volume will say what is wrong
	return chosen.Missing
}

// subject gives a situation the name of the volume that it is about.
func subject(err error, name string) error {
	s := situation.Of(err)
	if s == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	about := *s
	about.Subject = name
	return &about
}
