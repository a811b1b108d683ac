package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"bootswain/filesystem"
	"bootswain/health"
	"bootswain/mysql"

	"golang.org/x/sys/unix"
)

// Gate says whether the database server may start: nil, or an error that exits
// with ExitHeld. It trusts what the daemon reported only as far as its own look
// at the mount and the devices confirms it.
func (a *Agent) Gate(ctx context.Context) error {
	// MariaDB's unit has one with which the server could not read what the gate
	// writes for it.
	unix.Umask(0o022)
	server, err := mysql.Detect(ctx, a.units)
	if err != nil {
		return heldError{fmt.Errorf("cannot tell which server starts: %w", err)}
	}
	err = a.mayStart(ctx, server, true)
	if err == nil {
		return nil
	}
	if noted := hold(); noted != nil {
		err = errors.Join(err, noted)
	}
	return heldError{err}
}

// mayStart is what the gate finds: nil, or a HELD situation. With admit the
// server starts if it is nil.
func (a *Agent) mayStart(ctx context.Context, server mysql.Server, admit bool) error {
	report, v := gateView()
	if v.Volume == "" {
		err := mysql.Gate(server.Name(), v, nil)
		if err == nil && admit {
			// The databases stay where the package has them.
			err = errors.Join(filesystem.SetImmutable(mysql.Directory, false), isolation(false).Settle(mysql.Directory, ""))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if !v.Up() {
		return mysql.Gate(server.Name(), v, nil)
	}
	program, err := a.knownProgram(ctx)
	if err == nil {
		volume := volumeIn(report, v.Volume)
		look := mysql.Host{
			Proc: "/proc", Sys: "/sys", Directory: mysql.Directory, Members: membersOf(volume), Stack: stackOf(volume),
			Server: server.Name(), Program: program, Upgrade: v.Upgrade, Owner: serverUser(), Admit: admit,
			Isolation: isolation(v.Isolated),
		}
		for _, e := range v.Elsewhere {
			on := volumeIn(report, e.Volume)
			look.Elsewhere = append(look.Elsewhere, mysql.LivePart{Part: e.Part, Volume: e.Volume, Members: membersOf(on), Stack: stackOf(on)})
		}
		err = look.Live(ctx, v.Volume)
	}
	return mysql.Gate(server.Name(), v, err)
}

// isolation is that of this machine.
func isolation(wanted bool) mysql.Isolation {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		id = nil // then all machines without one are the same
	}
	return mysql.Isolation{Wanted: wanted, Home: mysql.SettingsHome, Self: strings.TrimSpace(string(id))}
}

// gateView reads what the daemon last said.
func gateView() (*health.Report, mysql.View) {
	v := mysql.View{Off: off()}
	report, daemon := health.Latest(statusFile, health.Uptime())
	switch {
	case report == nil:
		return report, v
	case daemon.Status != health.Pass:
		v.Trouble = daemon.Sentence.Situation()
		return report, v
	}
	v.Known = report.Launch.Known
	for _, c := range report.Checks {
		if c.Name == "launch-data" && c.Status == health.Fail {
			// Faulty launch data may have named a volume for the database.
			v.Known, v.Trouble = false, c.Sentence.Situation()
		}
	}
	if report.MySQL == nil {
		return report, v
	}
	v.Volume, v.Upgrade, v.Isolated = report.MySQL.Volume, report.MySQL.Upgrade, report.MySQL.Isolated
	data := volumeIn(report, v.Volume)
	if data != nil {
		v.State = data.State.Situation()
	}
	for _, p := range report.MySQL.Elsewhere {
		e := mysql.PartView{Part: mysql.Part(p.Name), Volume: p.Volume}
		if on := volumeIn(report, p.Volume); on != nil {
			e.State, e.Original = on.State.Situation(), data != nil && data.Copy && !on.Copy
		}
		v.Elsewhere = append(v.Elsewhere, e)
	}
	return report, v
}

// volumeIn is what a report says of a volume, or nil.
func volumeIn(r *health.Report, name string) *health.Volume {
	i := slices.IndexFunc(r.Volumes, func(v health.Volume) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Volumes[i]
}

// stackOf is what a volume was brought up on.
func stackOf(v *health.Volume) (s mysql.Stack) {
	if v.FS != nil {
		s.Type = v.FS.Type
	}
	if v.LUKS != nil {
		s.LUKS = v.LUKS.UUID
	}
	switch {
	case v.RAID != nil:
		s.Under = strings.TrimPrefix(v.RAID.Name, "/dev/")
	case len(v.Devices) == 1:
		s.Under = strings.TrimPrefix(v.Devices[0].Path, "/dev/")
	}
	return s
}

// membersOf returns a check that every device of a volume is still there and
// that its array is not broken, from sysfs alone.
func membersOf(v *health.Volume) func() error {
	return func() error {
		if v == nil {
			return nil
		}
		for _, d := range v.Devices {
			if d.Missing || !exists("/sys/class/block/"+strings.TrimPrefix(d.Path, "/dev/")) {
				return fmt.Errorf("%s of volume %s is gone", d.Volume, v.Name)
			}
		}
		if v.RAID == nil {
			return nil
		}
		state, err := os.ReadFile("/sys/class/block/" + strings.TrimPrefix(v.RAID.Name, "/dev/") + "/md/array_state")
		if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(state)) == "broken" {
			return fmt.Errorf("the array of volume %s is broken", v.Name)
		}
		return err
	}
}

// off says whether bootswain is switched off on the kernel command line.
func off() bool {
	line, err := os.ReadFile("/proc/cmdline")
	return err == nil && slices.Contains(strings.Fields(string(line)), "bootswain=off")
}
