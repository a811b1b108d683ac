package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bootswain/health"
	"bootswain/spec"
	"bootswain/systemd"
	"bootswain/volume"
)

// Up brings a volume up again that was taken down, and starts the database if
// it was stopped for that.
func (a *Agent) Up(ctx context.Context, name string) error {
	a.lockMemory()
	asked, want, mysql, err := a.known(ctx, name)
	if err != nil {
		return err
	}
	if err := a.applyVolume(ctx, asked, want, mysql); err != nil || mysql == nil || !exists(heldFile) {
		return err
	}
	v, err := a.lookAtDatabase(ctx)
	if err != nil {
		return err
	}
	return a.startHeld(ctx, v)
}

// Down stops the database if it uses the volume, and takes the volume down. It
// stays down until Up or the next boot. With detach, EC2 detaches its volumes
// from the instance then.
func (a *Agent) Down(ctx context.Context, name string, detach bool) error {
	asked, want, mysql, err := a.known(ctx, name)
	if err != nil {
		return err
	}
	release, err := a.volumeLock(name).take(ctx, func(holder string) { a.say("waiting for %s", holder) })
	if err != nil {
		return err
	}
	defer release()
	// Asked before the database is stopped for nothing.
	if err := volume.Held(a.storage, name); err != nil {
		return err
	}
	// Marked first, so that the daemon does not bring it back behind us.
	if err := markDown(name); err != nil {
		return fmt.Errorf("cannot take %s down: %w", name, err)
	}
	if mysql != nil || asked.spec.MySQL.Uses(name) {
		if err := a.stopForDown(ctx); err != nil {
			return errors.Join(err, unmarkDown(name))
		}
	}
	if err := volume.Down(ctx, a.storage, name, a.showProgress); err != nil {
		return errors.Join(named(err, name), unmarkDown(name))
	}
	if detach {
		return a.detach(ctx, asked, want)
	}
	text := "taken down."
	if want.Encryption.Mode == spec.EncryptionEphemeral {
		text = "taken down; what was on it is gone with its key."
	}
	a.say("DOWN %s: %s\n  next: bootswain up %[1]s, or reboot", name, text)
	return nil
}

// detach has EC2 detach the volumes of a stanza that is down.
func (a *Agent) detach(ctx context.Context, asked orders, want spec.Volume) error {
	release, err := a.ec2Lock(want.Name).take(ctx, nil)
	if err != nil {
		return err
	}
	defer release()
	c := a.cloud(ctx, asked.data)
	if c == nil {
		return fmt.Errorf("cannot detach %s: nobody said which instance this is", want.Name)
	}
	chosen, err := a.choose(ctx, c, want, false)
	if err != nil {
		return err
	}
	ids, err := a.volumeIDs(chosen.want.EBS)
	if err == nil && len(ids) == 0 {
		return fmt.Errorf("cannot detach %s: none of its EBS volumes is here", want.Name)
	}
	if err == nil {
		err = c.Detach(ctx, ids)
	}
	if err != nil {
		return subject(err, want.Name)
	}
	a.say("DOWN %s: taken down; detached %s.\n  next: attach them here or elsewhere; here, bootswain up %s", want.Name, strings.Join(ids, ", "), want.Name)
	return nil
}

// volumeIDs returns the volumes that a stanza names by their ids, or by the
// names that they were attached under.
func (a *Agent) volumeIDs(want spec.EBS) ([]string, error) {
	if len(want.Devices) == 0 {
		return want.IDs, nil
	}
	chosen, err := a.storage.EBS.Choose(nil, want.Devices)
	if err == nil {
		err = chosen.Conflict
	}
	var ids []string
	for _, d := range chosen.Devices {
		ids = append(ids, d.VolumeID)
	}
	return ids, err
}

// stopForDown stops a running server and notes that Up is to start it.
func (a *Agent) stopForDown(ctx context.Context) error {
	v, err := a.lookAtDatabase(ctx)
	if err != nil {
		return err
	}
	if v.state.Running() {
		if err := hold(); err != nil {
			return err
		}
	}
	defer a.tellStop(ctx, v.server)()
	return a.releaseDataDirectory(ctx)
}

// known returns a volume that the launch data names, or that the daemon found
// by itself, and what is asked of the database if it belongs there.
func (a *Agent) known(ctx context.Context, name string) (asked orders, want spec.Volume, mysql *spec.MySQL, err error) {
	if asked, err = a.orders(ctx, ""); err != nil {
		return orders{}, spec.Volume{}, nil, err
	}
	want, unnamed := asked.volume(name)
	if unnamed == nil {
		return asked, want, asked.databaseOn(name), nil
	}
	report, _ := health.Latest(statusFile, health.Uptime())
	if report == nil {
		return orders{}, spec.Volume{}, nil, unnamed
	}
	for _, v := range report.Volumes {
		if v.Name == name {
			if report.MySQL != nil && report.MySQL.Volume == name {
				mysql = &spec.MySQL{Volume: name}
			}
			return asked, foundAgain(v), mysql, nil
		}
	}
	return orders{}, spec.Volume{}, nil, unnamed
}

// foundAgain is the stanza of a volume that explained itself: its devices and
// its mount; the key is in its own header.
func foundAgain(v health.Volume) spec.Volume {
	want := spec.Volume{Name: v.Name, Mount: v.Mount, Required: v.Required}
	if want.Encryption.Mode = spec.EncryptionMode(v.Key); want.Encryption.Mode == spec.EncryptionEphemeral {
		want.InstanceStore = spec.AllInstanceStore
		return want
	}
	for _, d := range v.Devices {
		want.EBS.IDs = append(want.EBS.IDs, d.Volume)
	}
	if v.FS != nil {
		want.Filesystem.Type = v.FS.Type
	}
	return want
}

// HoldStop closes what is left of every volume at shutdown, after the mounts.
func (a *Agent) HoldStop(ctx context.Context) error {
	return volume.DownAll(ctx, a.storage, func(p volume.Progress) {
		a.showProgress(p)
		if err := systemd.Status(p.Volume + ": " + goingOn(p)); err != nil {
			a.say("%v", err)
		}
	})
}
