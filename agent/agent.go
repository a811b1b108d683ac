// Package agent joins the stages: launch data to spec, spec to storage and
// people, what was found to health. It is the only room that knows nearly all
// the others, and the only place where what the rooms report becomes output
// and exit codes.
//
// It decides nothing about disks itself; what may be written to is decided in
// package volume. Nothing it prints contains a secret.
package agent

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"bootswain/ebs"
	"bootswain/internal/run"
	"bootswain/secret"
	"bootswain/systemd"
	"bootswain/volume"
)

// Where bootswain keeps what it knows. Nothing under runDir survives a boot,
// and nothing under etcDir is secret but the image's identity.
const (
	runDir     = "/run/bootswain"
	etcDir     = "/etc/bootswain"
	configFile = etcDir + "/bootswain.yaml"
	rolesDir   = etcDir + "/roles"
	statusFile = runDir + "/status.json"
	launchFile = runDir + "/launch.json"
	envFile    = runDir + "/env"
	lockDir    = runDir + "/locks"

	peopleLockFile = lockDir + "/.people" // no volume can have this name
	downDir        = runDir + "/down"
)

// devices are this machine's.
var devices = ebs.Host{Sys: "/sys", Dev: "/dev", Xen: new(ebs.Xen)}

// Agent is bootswain on this machine.
type Agent struct {
	out     io.Writer
	version string
	config  Config
	run     run.Runner
	units   *systemd.Manager
	storage *volume.Host
	who     string   // as whom it takes locks
	self    []string // starts this program with the command with-key
}

// New reads the image's configuration. It changes nothing.
func New(out io.Writer, version string) (*Agent, error) {
	config, err := loadConfig(configFile)
	if err == nil {
		err = config.useEndpoints()
	}
	if err != nil {
		return nil, err
	}
	a := &Agent{
		out: out, version: version, config: config,
		run:   run.Host{},
		units: systemd.NewManager(),
		who:   filepath.Base(os.Args[0]),
		// What /proc shows is this very program, also after an upgrade.
		self: []string{"/proc/self/exe", "with-key"},
	}
	a.storage = &volume.Host{
		Run: a.run, EBS: devices, Proc: "/proc", Root: "/",
		Units: mounts{a.units}, Found: new(volume.Found),
		Keys: secret.Ring{Run: a.run}, Elsewhere: a.withKeyElsewhere,
	}
	return a, nil
}

// say prints one line for people, and for the journal.
func (a *Agent) say(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }
