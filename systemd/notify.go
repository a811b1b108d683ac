package systemd

import (
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready tells systemd that the service is up, which lets start what is ordered
// after it. Status is shown by "systemctl status".
func Ready(status string) error { return notify("READY=1", "STATUS="+status) }

// Status changes the line that "systemctl status" shows.
func Status(status string) error { return notify("STATUS=" + status) }

// Watchdog tells systemd that the service still works. It must come more often
// than the unit's WatchdogSec=.
func Watchdog() error { return notify("WATCHDOG=1") }

// Stopping tells systemd that the service is ending.
func Stopping() error { return notify("STOPPING=1") }

// notify sends lines by the protocol of sd_notify(3). Without a service manager
// that listens it does nothing.
func notify(lines ...string) error {
	for i, l := range lines {
		lines[i] = strings.ReplaceAll(l, "\n", " ")
	}
	_, err := daemon.SdNotify(false, strings.Join(lines, "\n"))
	return err
}
