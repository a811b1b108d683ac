package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"bootswain/ebs"
	"bootswain/internal/situation"
	"bootswain/secret"
	"bootswain/spec"
	"bootswain/systemd"
	"bootswain/volume"
)

const (
	// launchGrace and deviceGrace are how long the database's start, and so
	// multi-user.target, is kept waiting for the metadata service, and for a
	// device that is not there yet. Logins wait for neither, and neither is a
	// limit: the daemon goes on after them.
	launchGrace = 30 * time.Second
	deviceGrace = 2 * time.Second
	// bootLimit is how long the boot waits for work that goes on, such as the
	// reading of a large blank disk.
	bootLimit = 3 * time.Minute

	reportEvery = 5 * time.Second // so that a silent daemon is noticed
)

// daemon is the state of one run of Daemon; only its loop touches it.
type daemon struct {
	*Agent
	began  time.Time
	ready  bool // READY=1 was sent
	notice sync.WaitGroup

	asked    bool                 // the launch data was read, or is known to be none
	orders   orders               // meaningful when asked
	unread   *situation.Situation // why the launch data could not be read so far
	users    error                // what went wrong with the users
	launched time.Time            // modification time of the launch file that was followed

	keepers map[string]*keeper
	stop    map[string]context.CancelFunc
	views   map[string]view
	askedAt map[string]time.Time
	order   []string // names of volumes, in document order, found ones last
	board   board
	boot    string // the kernel's name for this boot

	database    databaseView
	follows     bool // somebody looks at the database
	discovering bool
	storageUp   bool // bootswain-storage.target may be reached
}

// Daemon converges, tells systemd when the boot may go on, and then follows
// what happens to the devices until ctx ends. It never takes a volume down at
// its end: a restart of the daemon touches no mounted volume.
func (a *Agent) Daemon(ctx context.Context) error {
	if err := secret.LockMemory(); err != nil {
		a.say("daemon: %v; going on", err)
	}
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return fmt.Errorf("cannot keep state: %w", err)
	}
	events, err := ebs.Watch(ctx)
	if err != nil {
		return fmt.Errorf("cannot follow device events: %w", err)
	}
	a.lock.who = "the bootswain daemon"
	d := &daemon{
		Agent: a, began: time.Now(),
		keepers: map[string]*keeper{}, stop: map[string]context.CancelFunc{}, views: map[string]view{},
		askedAt: map[string]time.Time{}, boot: bootID(),
	}
	defer d.notice.Wait()
	return d.loop(ctx, events)
}

// loop is the one goroutine that owns the daemon's state.
func (d *daemon) loop(ctx context.Context, events <-chan ebs.Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		news = make(chan func(), 16) // changes of state, run by this loop
		tick = time.NewTicker(time.Second)
	)
	defer tick.Stop()
	post := func(f func()) {
		select {
		case news <- f:
		case <-ctx.Done():
		}
	}
	d.spawn(func() { d.readOrders(ctx, post) })
	for {
		select {
		case <-ctx.Done():
			return systemd.Stopping()
		case f := <-news:
			f()
		case e, ok := <-events:
			if ok && (e.Lost || e.Action != "change") {
				d.devicesChanged(ctx, post)
			}
		case <-tick.C:
			d.followLaunchFile(ctx, post)
		}
		d.startDatabase(ctx)
		d.markStorage(ctx)
		if err := d.board.publish(d.report()); err != nil {
			d.say("daemon: %v", err)
		}
		d.tellSystemd()
	}
}

func (d *daemon) spawn(f func()) {
	d.notice.Add(1)
	go func() { defer d.notice.Done(); f() }()
}

// readOrders gets the launch data, lets its people in and posts it.
func (d *daemon) readOrders(ctx context.Context, post func(func())) {
	data, err := d.launchData(ctx, func(err error) {
		post(func() { d.unread = unreachable(err) })
	})
	if err != nil {
		post(func() { d.unread = unreachable(err) })
		return
	}
	o := read(data)
	users := d.admit(ctx, o)
	changed := modified(launchFile)
	post(func() {
		d.asked, d.orders, d.users, d.unread, d.launched = true, o, users, nil, changed
		d.follow(ctx, post)
	})
}

// followLaunchFile takes up launch data that a person put in its place.
func (d *daemon) followLaunchFile(ctx context.Context, post func(func())) {
	if now := modified(launchFile); d.asked && !now.IsZero() && !now.Equal(d.launched) {
		d.launched = now
		d.spawn(func() { d.readOrders(ctx, post) })
	}
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// follow starts a keeper for every volume of new orders.
func (d *daemon) follow(ctx context.Context, post func(func())) {
	if d.orders.trouble != nil {
		d.say("%s", d.orders.trouble)
	}
	d.listenAsAsked(ctx)
	named := map[string]bool{}
	for _, want := range d.orders.spec.Volumes {
		named[want.Name] = true
		d.start(ctx, post, want, d.orders.spec.MySQL != nil && d.orders.spec.MySQL.Volume == want.Name)
	}
	for _, name := range d.order {
		if !named[name] {
			// Its stanza is gone; the volume stays as it is until the next
			// boot, but nobody keeps it any more.
			d.stop[name]()
			delete(d.keepers, name)
		}
	}
	d.discover(ctx, post)
}

// start gives a volume its keeper.
func (d *daemon) start(ctx context.Context, post func(func()), want spec.Volume, mysql bool) {
	name := want.Name
	before := make(chan struct{})
	if old, running := d.keepers[name]; running {
		d.stop[name]()
		before = old.done
	} else {
		d.order = append(d.order, name)
		d.askedAt[name] = time.Now()
		close(before)
	}
	if mysql && !d.follows {
		d.follows = true
		d.spawn(func() { d.followDatabase(ctx, func(v databaseView) { post(func() { d.database = v }) }) })
	}
	keeping, cancel := context.WithCancel(ctx)
	k := d.newKeeper(want, mysql, func(v view) {
		post(func() {
			if keeping.Err() != nil {
				return
			}
			first := v.passed && !d.views[name].passed
			d.announce(d.views[name], v)
			d.views[name] = v
			if first {
				d.discover(ctx, post)
			}
		})
	})
	d.keepers[name], d.stop[name] = k, cancel
	d.views[name] = view{want: want, mysql: mysql}
	d.spawn(func() {
		defer close(k.done)
		<-before
		k.keep(keeping)
	})
}

// announce prints a sentence when it is news.
func (d *daemon) announce(old, now view) {
	switch {
	case now.trouble == nil && now.passed && now.working == "" && (old.trouble != nil || !old.passed):
		d.say("READY %s: mounted on %s.", now.want.Name, now.want.Mount)
	case now.trouble != nil && (old.trouble == nil || old.trouble.String() != now.trouble.String()):
		d.say("%s", now.trouble)
	}
}

// devicesChanged wakes everyone whom a device may concern.
func (d *daemon) devicesChanged(ctx context.Context, post func(func())) {
	for _, k := range d.keepers {
		k.wake()
	}
	d.discover(ctx, post)
}

// discover finds complete sets that no stanza names and that explain
// themselves, and gives each a keeper. With launch data that cannot be
// followed it touches no disk.
func (d *daemon) discover(ctx context.Context, post func(func())) {
	if !d.asked || d.orders.trouble != nil || d.discovering {
		return
	}
	var claimed []string
	for _, v := range d.views {
		if !v.passed {
			return // which devices its stanza means is not known yet
		}
		claimed = append(claimed, v.want.EBS.IDs...)
		for _, device := range v.state.Devices {
			claimed = append(claimed, device.VolumeID)
		}
	}
	d.discovering = true
	d.spawn(func() {
		release, err := d.lock.take(ctx, nil)
		if err != nil {
			return
		}
		found, mysql, err := volume.Discover(ctx, d.storage, claimed)
		release()
		if err != nil {
			d.say("looking for volumes that explain themselves: %v", err)
		}
		post(func() {
			d.discovering = false
			for _, want := range found {
				if _, known := d.keepers[want.Name]; !known {
					d.start(ctx, post, want, want.Name == mysql && d.orders.spec.MySQL == nil)
				}
			}
		})
	})
}

// tellSystemd lets the boot go on as soon as all that can be done without
// waiting is done, and shows systemd what is going on.
func (d *daemon) tellSystemd() {
	if err := errors.Join(systemd.Watchdog(), systemd.Status(d.summary())); err != nil {
		d.say("daemon: %v", err)
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
// READY=1 systemd starts it by itself.
func (d *daemon) startDatabase(ctx context.Context) {
	if !d.ready || !d.database.held || d.database.version != "" {
		return
	}
	for _, v := range d.views {
		if v.mysql && v.sentence().Word == situation.Ready {
			d.database.held = false
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
		ready = ready && (!v.want.Required || v.sentence().Word == situation.Ready)
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
	for name := range d.keepers {
		v := d.views[name]
		if v.working != "" || !v.passed {
			return false
		}
		if v.trouble != nil && v.trouble.Word == situation.Waiting && since < deviceGrace {
			return false
		}
	}
	return true
}
