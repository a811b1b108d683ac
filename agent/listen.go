package agent

import (
	"context"
	"runtime"
	"runtime/debug"

	"bootswain/health"
	"bootswain/systemd"
)

// HealthListen answers health polls on the socket that systemd opened. It runs
// without privilege and reads the report, nothing else.
func (a *Agent) HealthListen(ctx context.Context) error {
	l, err := health.Socket()
	if err != nil {
		return err
	}
	// Its unit gives it half a processor. With more than one, its threads would
	// spend as much on waking each other as on the answers.
	runtime.GOMAXPROCS(1)
	debug.FreeOSMemory() // what only the start needed
	if err := systemd.Ready("answering on " + l.Addr().String()); err != nil {
		return err
	}
	return health.Serve(ctx, l, statusFile, func() {
		if err := systemd.Watchdog(); err != nil {
			a.say("health: %v", err)
		}
	})
}

// listenAsAsked moves the health socket to the address of the launch data, or
// of the image's configuration.
func (d *daemon) listenAsAsked(ctx context.Context) {
	address := d.orders.spec.Health.Listen
	if address == "" {
		address = d.config.Health.Listen
	}
	if address == "" {
		return
	}
	if err := d.units.MoveSocket(ctx, "bootswain-health.socket", "bootswain-health.service", address); err != nil {
		d.say("health: cannot listen on %s: %v", address, err)
	}
}
