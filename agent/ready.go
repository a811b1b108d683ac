package agent

import (
	"context"
	"errors"
	"time"

	"bootswain/internal/situation"
	"bootswain/mysql"
	"bootswain/systemd"
)

const (
	// launchGrace and deviceGrace are how long the database's start, and so
	// multi-user.target, is kept waiting for the metadata service, and for a
	// device that is not there yet. Logins wait for neither, and neither is a
	// limit: the daemon goes on after them.
	launchGrace = 30 * time.Second
	deviceGrace = 2 * time.Second
	// otherGrace is how long the boot waits for what does not carry the
	// database: a disk that does not answer costs its own volume only.
	otherGrace = 30 * time.Second
	// bootLimit is how long it waits for work on the database's volume that goes
	// on, such as the reading of a large blank disk.
	bootLimit = 3 * time.Minute
)

// tellSystemd lets the boot go on as soon as all that can be done without
// waiting is done, and shows systemd what is going on.
func (d *daemon) tellSystemd() {
	if summary := d.summary(); summary != d.told || time.Since(d.toldAt) > reportEvery {
		d.told, d.toldAt = summary, time.Now()
		if err := errors.Join(systemd.Watchdog(), systemd.Status(summary)); err != nil {
			d.say("daemon: %v", err)
		}
	}
	if d.ready || !d.settled(time.Since(d.began)) {
		return
	}
	d.ready = true
	if err := systemd.Ready(d.summary()); err != nil {
		d.say("daemon: %v", err)
	}
	d.say("the boot may go on after %.1fs", time.Since(d.began).Seconds())
}

// startDatabase starts a server that was held once its volume is ready. Before
// READY=1 systemd starts it by itself. A volume that a person is taking down
// still looks ready for a moment.
func (d *daemon) startDatabase(ctx context.Context) {
	if !d.ready || !d.database.held || d.database.heldBy != nil || d.database.state.Running() {
		return
	}
	for _, v := range d.views {
		if v.mysql != nil && usable(v.sentence()) && !isDown(v.want.Name) && d.apart(v) == nil {
			d.database.held, d.database.state.Queued = false, true
			if err := d.startHeld(ctx, d.database); err != nil {
				d.say("%s: %v", d.database.server.Name(), err)
			}
		}
	}
}

// markStorage lets bootswain-storage.target be reached while every required
// volume is ready, and ends it when one is not.
func (d *daemon) markStorage(ctx context.Context) {
	ready := d.asked && d.orders.trouble == nil
	for _, v := range d.views {
		ready = ready && (!v.want.Required || usable(v.sentence()))
	}
	if ready == d.storageUp {
		return
	}
	d.storageUp = ready
	change := d.units.StorageLost
	if ready {
		change = d.units.StorageReady
	}
	if err := change(ctx); err != nil {
		d.say("bootswain-storage.target: %v", err)
	}
}

// settled says whether the boot has nothing left to wait for.
func (d *daemon) settled(since time.Duration) bool {
	if since > bootLimit {
		return true
	}
	if !d.asked {
		return since > launchGrace
	}
	others := since < otherGrace
	if !d.discovered && d.orders.trouble == nil && (others || d.orders.spec.MySQL == nil) {
		return false
	}
	for name := range d.keepers {
		v := d.views[name]
		if v.mysql == nil && !others && !d.orders.spec.MySQL.Uses(name) {
			continue
		}
		if v.working != "" || !v.passed {
			return false
		}
		if errors.Is(v.sentence(), mysql.ErrApart) && d.apart(v) == nil {
			return false // its volumes came just now
		}
		if v.trouble != nil && v.trouble.Word == situation.Waiting && since < deviceGrace {
			return false
		}
	}
	return true
}
