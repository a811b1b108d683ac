package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// OnceUnit is a program that is run once, as another user and in a sandbox
// without network.
type OnceUnit struct {
	Name        string // "bootswain-initialise.service"
	Description string
	Command     []string // path and arguments
	UID, GID    int
	Bind        string // directory that the program sees at At
	At          string
	BindsTo     []string      // units that it comes after and ends with
	Limit       time.Duration // it is ended after that
}

// String returns the unit file. It ends with the daemon that waits for it.
func (o OnceUnit) String() string {
	u := text{}
	u.section("Unit")
	u.set("Description", o.Description)
	u.set("DefaultDependencies", "no")
	u.set("Conflicts", "shutdown.target")
	u.set("PartOf", "bootswain.service")
	u.set("Wants", HoldUnit)
	u.set("After", append([]string{HoldUnit}, o.BindsTo...)...)
	u.set("BindsTo", o.BindsTo...)
	u.section("Service")
	u.set("Type", "oneshot")
	u.set("ExecStart", o.Command...)
	u.set("User", fmt.Sprint(o.UID))
	u.set("Group", fmt.Sprint(o.GID))
	u.set("UMask", "0077")
	u.set("BindPaths", o.Bind+":"+o.At)
	u.set("PrivateNetwork", "yes")
	u.set("NoNewPrivileges", "yes")
	u.set("TimeoutStartSec", fmt.Sprintf("%ds", int(o.Limit.Seconds())))
	u.set("TimeoutStopSec", "10s")
	return u.String()
}

// check finds what would have to be quoted in the unit file.
func (o OnceUnit) check() error {
	special := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`"'\$;:`, r)
	}
	for _, v := range append([]string{o.Bind, o.At}, o.Command...) {
		if v == "" || strings.ContainsFunc(v, special) {
			return fmt.Errorf("cannot run %s: %q cannot stand in a unit file", o.Name, v)
		}
	}
	return nil
}

// RunOnce runs the program and returns when it has ended; the error is a
// *JobError if it did not end well. If ctx ends first, so does the program.
func (m *Manager) RunOnce(ctx context.Context, o OnceUnit) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	if err := m.write(o.Name, o.String()); err != nil {
		return err
	}
	defer func() {
		// Stopped also where waiting for it ended early.
		last := context.WithoutCancel(ctx)
		err = errors.Join(err, m.Stop(last, o.Name), m.forget(last, o.Name))
	}()
	return m.with(ctx, func(b bus) error {
		if err := refresh(ctx, b, o.Name); err != nil {
			return err
		}
		return job(ctx, b, "start", o.Name)
	})
}

// forget removes the file of a unit that is down, and that it failed.
func (m *Manager) forget(ctx context.Context, unit string) error {
	if err := os.Remove(filepath.Join(m.dir, unit)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the unit: %w", err)
	}
	return m.ResetFailed(ctx, unit)
}
