// Package mysql keeps a MySQL or MariaDB server on its volume: it finds the
// server that is installed, reads what a data directory is without starting a
// server, moves the image's to the volume on first boot or makes a new one,
// mounts it where the package expects it, and is the gate without which the
// server does not start.
//
// It never starts the server on databases that somebody has, never changes what
// is in their files, gives them another owner only where the server's user has
// another number in this image, never edits the server's configuration, and
// never removes a directory that it did not make itself and leave unfinished.
// What cannot go on is a *situation.Situation, HELD or REFUSED.
package mysql

import (
	"context"
	"path/filepath"
	"strings"

	"bootswain/systemd"
)

// Directory is where every supported package keeps its databases.
const Directory = "/var/lib/mysql"

// onVolume is the name of the database's directory at the root of its volume.
const onVolume = "mysql"

// Units is what this package needs of systemd; *systemd.Manager is one.
type Units interface {
	State(ctx context.Context, unit string) (systemd.State, error)
	Stop(ctx context.Context, unit string) error
	RunOnce(ctx context.Context, o systemd.OnceUnit) error
	Kill(ctx context.Context, unit string) error
	Mount(ctx context.Context, u systemd.MountUnit) error
	UnmountWith(ctx context.Context, where string, bound ...string) error
}

// Server is the database server that is installed.
type Server struct {
	Unit string // its own name, not an alias: "mariadb.service"
}

// Name returns the server as people call it: "mariadb".
func (s Server) Name() string { return strings.TrimSuffix(s.Unit, ".service") }

// Detect finds the installed server. Where mysql.service is an alias of
// mariadb.service, that is one server and it is mariadb. The zero Server means
// that none is installed.
func Detect(ctx context.Context, units Units) (Server, error) {
	for _, unit := range []string{"mariadb.service", "mysql.service", "mysqld.service"} {
		state, err := units.State(ctx, unit)
		if err != nil {
			return Server{}, err
		}
		if state.Exists() {
			return Server{Unit: state.Name}, nil
		}
	}
	return Server{}, nil
}

// StopHard ends a server whose storage is gone, which a polite stop would wait
// for: MariaDB's own unit allows 15 minutes and no SIGKILL. It returns when
// systemd says that the server is down, or when ctx ends.
func StopHard(ctx context.Context, units Units, s Server) error {
	stopped := make(chan error, 1)
	// The stop comes along with the kill, so that a unit that restarts itself
	// after a signal stays down.
	go func() { stopped <- units.Stop(ctx, s.Unit) }()
	if err := units.Kill(ctx, s.Unit); err != nil {
		return err
	}
	return <-stopped
}

// Bind mounts the database's directory of the volume at mount over the
// package's. The drop-in that bootswain ships for each server orders it after
// this mount and stops it before the mount goes; it does not pull the mount in,
// because the gate decides.
func Bind(ctx context.Context, units Units, s Server, mount string) error {
	return units.Mount(ctx, systemd.MountUnit{
		Description: "bootswain: databases of " + s.Name(),
		What:        filepath.Join(mount, onVolume),
		Where:       Directory,
		Type:        "none",
		Options:     []string{"bind"},
		BindsTo:     []string{systemd.MountName(mount)},
	})
}

// BindPart mounts a part's directory where the server finds it, once the databases
// are bound.
func BindPart(ctx context.Context, units Units, s Server, e Elsewhere) error {
	return units.Mount(ctx, systemd.MountUnit{
		Description: "bootswain: " + e.Part.String() + " of " + s.Name(),
		What:        e.Dir(),
		Where:       e.Part.Place(Directory),
		Type:        "none",
		Options:     []string{"bind"},
		BindsTo:     []string{systemd.MountName(e.Mount), systemd.MountName(Directory)},
	})
}

// Unbind stops the server and takes Bind and BindPart back, so that nothing keeps
// the volumes busy. The gate keeps the server from starting on what lies beneath.
func Unbind(ctx context.Context, units Units, s Server) error {
	if err := units.Stop(ctx, s.Unit); err != nil {
		return err
	}
	var places []string
	for _, p := range Parts {
		places = append(places, p.Place(Directory))
	}
	return units.UnmountWith(ctx, Directory, places...)
}
