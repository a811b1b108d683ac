// Package demo shows bootswain's main job on a machine of the laboratory: it
// boots it, looks at it the way a person and a monitor would, reboots it and
// cuts its power, and compares what it sees with what must be there.
//
// It prints nothing that was not read from the machine, and its first surprise
// ends it with an error that tells what was expected and what was seen. It
// neither opens nor closes the laboratory: that is the caller's.
package demo

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"bootswain/lab/control"
)

const (
	user       = "ops" // named in the launch data
	volumeName = "data"
	mountPoint = "/srv/data"
	members    = 4
	memberSize = 128 << 20 // bytes; XFS asks for 300 MB in all

	// limit is for one wait; a machine that needs longer hangs.
	limit = 10 * time.Minute
)

// Demo is one demonstration.
type Demo struct {
	Lab    *control.Client
	Up     control.Up // the machine to boot: its image and the EC2 key pair
	Signer ssh.Signer // of the EC2 key pair; the launch data lets ops in with the same key
	Screen *Screen

	status  control.Status
	volumes []string // ids
	client  *ssh.Client
	boot    string // the kernel's id of the boot that client is logged in to
}

// Run plays the scenes. The machine is left as it is, whatever the outcome.
func (d *Demo) Run(ctx context.Context) error {
	defer d.hangUp()
	for _, scene := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"What the machine is told (launch data)", d.prepare},
		{"First boot", d.firstBoot},
		{"Who can log in", d.people},
		{"Storage, from the mount to the volume ids", d.storage},
		{"Database", d.database},
		{"Health, asked from this host", d.health},
		{"What took how long at first boot", d.steps},
		{"A clean reboot", d.reboot},
		{"A power cut while orders come in; what was not flushed is lost", d.cut},
	} {
		d.Screen.Title(scene.title)
		if err := scene.play(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Health is the address at which health answers; Run finds it out.
func (d *Demo) Health() string { return d.status.Health }

// Console is the file that the machine's serial console is written to.
func (d *Demo) Console() string { return d.status.Console }

// prepare makes the volumes and the document that names them.
func (d *Demo) prepare(ctx context.Context) error {
	for range members {
		var id string
		if err := d.call(ctx, "volumes", "volume", int64(memberSize), &id); err != nil {
			return err
		}
		d.volumes = append(d.volumes, id)
	}
	var stanza string
	err := d.Screen.Wait("bootswain seal", func(func(string)) (err error) {
		stanza, err = bootswain(ctx, "", "seal", "--to", d.Up.Image.Recipient, "--random")
		return err
	})
	if err != nil {
		return err
	}
	doc := document(d.Up.PublicKey, d.volumes, stanza)
	d.Screen.Block(shorten(doc))
	verdict, err := bootswain(ctx, doc, "config", "check", "-")
	if err != nil {
		return err
	}
	d.Screen.Pass("bootswain config check: %s", verdict)
	d.Up.UserData = []byte(doc)
	return nil
}

func (d *Demo) firstBoot(ctx context.Context) error {
	err := d.call(ctx, "the machine to boot", "up", d.Up, nil)
	// A machine that does not come up can be looked at, too.
	if unknown := d.call(ctx, "the laboratory", "status", struct{}{}, &d.status); err == nil {
		err = unknown
	}
	if err != nil {
		return err
	}
	return d.follow(ctx)
}

// follow waits until a machine that has booted does its work, and logs in.
func (d *Demo) follow(ctx context.Context) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	return d.logIn(ctx)
}

// call runs a verb of the laboratory and shows its progress.
func (d *Demo) call(ctx context.Context, what, verb string, args, result any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := d.Screen.Wait(what, func(func(string)) error {
		return d.Lab.Call(ctx, d.Screen, verb, args, result)
	})
	if ctx.Err() == context.DeadlineExceeded {
		return fmt.Errorf("%s: expected within %s; saw no end of it", what, limit)
	}
	return err
}
