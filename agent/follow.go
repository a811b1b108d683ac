package agent

import (
	"context"
	"os"
	"reflect"
	"regexp"
	"slices"
	"time"

	"bootswain/internal/situation"
	"bootswain/spec"
	"bootswain/volume"
)

// readOrders gets the launch data, lets its people in and posts it.
func (d *daemon) readOrders(ctx context.Context, post func(func())) {
	data, err := d.launchData(ctx, forEver, func(err error) {
		post(func() { d.unread = unreachable(err) })
	})
	if err != nil {
		post(func() { d.unread = unreachable(err) })
		return
	}
	var looked time.Time
	understand := func() orders {
		// Whatever takes the file's place from here on is followed by itself.
		looked = modified(launchFile)
		o := d.understand(ctx, data)
		if o.data.Included != nil && data.Included == nil {
			looked = modified(launchFile) // it has kept what it read
		}
		return o
	}
	replaced := func() bool { return !modified(launchFile).Equal(looked) }
	untilWhole(ctx, understand, replaced, func(o orders) {
		users := d.admit(ctx, o)
		if err := publishEnv(envFile, o); err != nil {
			d.say("%v", err)
		}
		version := looked
		post(func() {
			d.asked, d.orders, d.users, d.unread, d.launched = true, o, users, nil, version
			d.follow(ctx, post)
		})
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
	d.restrictAsAsked()
	d.ec2 = d.cloud(ctx, d.orders.data)
	named := map[string]bool{}
	for _, want := range d.orders.spec.Volumes {
		named[want.Name] = true
		d.start(ctx, post, want, d.orders.databaseOn(want.Name))
	}
	for _, name := range slices.Clone(d.order) {
		if v := d.views[name]; !named[name] && (!v.passed || v.trouble != nil) {
			d.forget(name)
		}
	}
	d.discover(ctx, post)
}

// forget ends the keeping of a volume whose stanza is gone. One that is up is
// kept on: nobody takes down what may be in use because a line was deleted.
func (d *daemon) forget(name string) {
	d.stop[name]()
	delete(d.stop, name)
	delete(d.keepers, name)
	delete(d.views, name)
	d.order = slices.DeleteFunc(d.order, func(n string) bool { return n == name })
}

// start gives a volume its keeper. A volume that is kept as it is wanted stays
// with the keeper that it has; another begins when its predecessor has ended.
func (d *daemon) start(ctx context.Context, post func(func()), want spec.Volume, mysql *spec.MySQL) {
	name := want.Name
	holds := mysql != nil || d.orders.spec.MySQL.Uses(name)
	switch old, running := d.keepers[name]; {
	case running && old.holds == holds && reflect.DeepEqual(old.mysql, mysql) && reflect.DeepEqual(old.want, want):
		old.wake()
		return
	case running:
		if v := d.views[name]; v.passed && v.trouble == nil {
			for _, line := range unchanged(old.want, want) {
				d.say("%s: %s", name, line)
			}
		}
		d.stop[name]()
	default:
		d.order = append(d.order, name)
		d.askedAt[name] = time.Now()
	}
	if mysql != nil && !d.follows {
		d.follows = true
		d.spawn(func() {
			d.followDatabase(ctx, func(v databaseView) { post(func() { d.announceDatabase(v); d.database = v }) })
		})
	}
	keeping, cancel := context.WithCancel(ctx)
	k := d.newKeeper(d.ec2, want, mysql, holds, func(v view) {
		post(func() {
			if keeping.Err() != nil {
				return
			}
			first := v.passed && !d.views[name].passed
			came := v.passed && usable(v.sentence()) && !usable(d.views[name].sentence())
			d.announce(d.views[name], v)
			d.views[name] = v
			if came {
				d.wakeDatabase(name)
			}
			if first {
				d.discover(ctx, post)
			}
		})
	})
	d.keepers[name], d.stop[name] = k, cancel
	d.views[name] = view{want: want, mysql: mysql}
	before := d.done[name]
	done := make(chan struct{})
	d.done[name] = done
	d.spawn(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		k.keep(keeping)
	})
}

// announce prints a sentence when it is news.
func (d *daemon) announce(old, now view) {
	switch {
	case now.trouble == nil && now.passed && now.working == "" && (old.trouble != nil || !old.passed):
		d.say("READY %s: %s", now.want.Name, mounted(now.want))
	case now.trouble != nil && (old.trouble == nil || ageless(old.trouble) != ageless(now.trouble)):
		d.say("%s", now.trouble)
	}
}

var ages = regexp.MustCompile(`missing [0-9]+[mhd]`)

// ageless is a situation without what only time changes in it.
func ageless(s *situation.Situation) string { return ages.ReplaceAllString(s.String(), "missing") }

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
		if !v.passed && len(v.want.EBS.IDs) == 0 {
			return // which devices its stanza means is not known yet
		}
		claimed = append(claimed, v.want.EBS.IDs...)
		for _, device := range v.state.Devices {
			claimed = append(claimed, device.VolumeID)
		}
	}
	d.discovering = true
	d.spawn(func() {
		// Without the lock: it only looks, and a first creation may hold the lock
		// for long. Who is given a keeper is looked at again under the lock.
		found, mysql, err := volume.Discover(ctx, d.storage, claimed)
		if err != nil {
			d.say("looking for volumes that explain themselves: %v", err)
		}
		post(func() {
			d.discovering = false
			for _, want := range found {
				if _, known := d.keepers[want.Name]; !known {
					var database *spec.MySQL
					if want.Name == mysql && d.orders.spec.MySQL == nil {
						database = &spec.MySQL{Volume: mysql}
					}
					d.start(ctx, post, want, database)
				}
			}
			d.discovered = true
		})
	})
}
