package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"bootswain/health"
	"bootswain/health/web"
	"bootswain/systemd"
)

// HealthListen answers health polls on the socket that systemd opened. It runs
// without privilege and reads the report, and who may ask, nothing else.
func (a *Agent) HealthListen(ctx context.Context) error {
	l, err := health.Socket()
	if err != nil {
		return err
	}
	who, err := access(os.Getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		return err
	}
	// Its unit gives it half a processor. With more than one, its threads would
	// spend as much on waking each other as on the answers.
	runtime.GOMAXPROCS(1)
	if err := forget(); err != nil {
		a.say("health: cannot give back memory: %v", err)
	}
	if err := systemd.Ready("answering on " + l.Addr().String()); err != nil {
		return err
	}
	return health.Serve(ctx, l, statusFile, who, func() {
		if err := systemd.Watchdog(); err != nil {
			a.say("health: %v", err)
		}
	})
}

// access reads who may ask from what systemd gave to the listener: everybody, if
// it gave nothing. It gives what the daemon's drop-in says, or does not start it.
func access(credentials string) (health.Access, error) {
	if credentials == "" {
		return health.Access{}, nil
	}
	text, err := os.ReadFile(filepath.Join(credentials, filepath.Base(webFile)))
	if err != nil {
		return health.Access{}, fmt.Errorf("cannot know who may ask: %w", err)
	}
	c, err := web.Parse(text)
	if err != nil {
		return health.Access{}, fmt.Errorf("cannot know who may ask: %w", err)
	}
	return health.Access{TLS: c.TLS(), Guard: c.Guard}, nil
}
