package agent

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"bootswain/ebs"
	"bootswain/health/vitals"
	"bootswain/internal/situation"
	"bootswain/secret"
	"bootswain/systemd"
)

const reportEvery = 5 * time.Second // so that a silent daemon is noticed

// daemon is the state of one run of Daemon; only its loop touches it.
type daemon struct {
	*Agent
	began  time.Time
	ready  bool   // READY=1 was sent
	told   string // what systemctl status shows
	toldAt time.Time
	notice sync.WaitGroup

	asked      bool                 // the launch data was read, or is known to be none
	orders     orders               // meaningful when asked
	unread     *situation.Situation // why the launch data could not be read so far
	users      error                // what went wrong with the users
	metadata   *situation.Situation // of the metadata service's restriction; nil: not asked for
	restricted chan []string        // to whom it is to be restricted; capacity 1
	listener   heard                // of where health is to answer
	listens    chan errand          // where that is; capacity 1
	launched   time.Time            // modification time of the launch file that was followed

	ec2     *ebs.EC2 // nil: unknown, or there is none
	keepers map[string]*keeper
	stop    map[string]context.CancelFunc
	done    map[string]chan struct{} // closed when the last keeper of that name has ended
	views   map[string]view
	askedAt map[string]time.Time
	order   []string // names of volumes, in document order, found ones last
	board   board
	vitals  *vitals.Watcher
	latency latencySeen
	boot    string // the kernel's name for this boot

	database    databaseView
	waitsFor    string // what was last announced of the database
	follows     bool   // somebody looks at the database
	discovering bool
	discovered  bool // the attached devices were asked once what they are
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
	a.who = "the bootswain daemon"
	d := &daemon{
		Agent: a, began: time.Now(),
		keepers: map[string]*keeper{}, stop: map[string]context.CancelFunc{}, views: map[string]view{},
		askedAt: map[string]time.Time{}, done: map[string]chan struct{}{}, boot: bootID(),
		restricted: make(chan []string, 1), listens: make(chan errand, 1),
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
	d.vitals = vitals.Watch(ctx, vitals.This())
	d.spawn(func() { d.readOrders(ctx, post) })
	d.spawn(func() { d.followLatency(ctx, post) })
	d.spawn(func() {
		d.restrictMetadata(ctx, d.restricted, func(s *situation.Situation) { post(func() { d.metadata = s }) })
	})
	d.spawn(func() {
		p := porter{units: d.units, file: webFile}
		p.keep(ctx, d.listens, func(h heard) { post(func() { d.hear(h) }) })
	})
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
		d.vitals.Follow(ctx, d.looks(), d.limits())
		if err := d.board.publish(d.withLatency(d.withVitals(d.report()))); err != nil {
			d.say("daemon: %v", err)
		}
		d.tellSystemd()
	}
}

func (d *daemon) spawn(f func()) {
	d.notice.Add(1)
	go func() { defer d.notice.Done(); f() }()
}
