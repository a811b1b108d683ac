package agent

import (
	"context"
	"slices"
	"time"

	"bootswain/filesystem"
	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/mysql"
	"bootswain/spec"
	"bootswain/volume"
)

// partPatience is how long the database waits for whoever works on a volume that
// some of its files belong on. They are looked at again when it comes up.
const partPatience = 10 * time.Second

// elsewhere is what of the database's files is asked for on other volumes than its
// own.
func elsewhere(m *spec.MySQL) (parts []mysql.Elsewhere) {
	for _, e := range m.Elsewhere {
		parts = append(parts, mysql.Elsewhere{Part: mysql.Part(e.Part), Volume: e.Volume, Mount: e.Mount})
	}
	return parts
}

// bindAll mounts the databases and their parts where the server finds them. mayWrite
// is asked before anything is written to the parts' volumes, none of which is taken
// down meanwhile.
func (a *Agent) bindAll(ctx context.Context, m mysql.Move, asked []mysql.Elsewhere, mayWrite func() error) error {
	if !a.bound(asked) {
		release, err := a.together(ctx, m.Server.Name(), asked)
		if err != nil {
			return err
		}
		defer release()
		if err := mayWrite(); err != nil {
			return err
		}
		if err := m.Spread(ctx, asked); err != nil {
			return err
		}
	}
	if err := mysql.Bind(ctx, a.units, m.Server, m.Mount); err != nil {
		return err
	}
	for _, e := range asked {
		if err := mysql.BindPart(ctx, a.units, m.Server, e); err != nil {
			return err
		}
	}
	return nil
}

// partsHere says which volume of the parts is not up: nil, or HELD. Until all are,
// there is nothing to do.
func (a *Agent) partsHere(ctx context.Context, asked []mysql.Elsewhere) error {
	for _, e := range asked {
		if isDown(e.Volume) || !a.mountedFrom(e) {
			server, err := mysql.Detect(ctx, a.units)
			if server.Unit == "" {
				return err // there is more to say than this
			}
			return e.Apart(server.Name())
		}
	}
	return nil
}

// together locks the volumes of the parts if all of them are up.
func (a *Agent) together(ctx context.Context, server string, asked []mysql.Elsewhere) (release func(), err error) {
	patience, cancel := context.WithTimeout(ctx, partPatience)
	defer cancel()
	locked := map[string]func(){}
	release = func() {
		for _, unlock := range locked {
			unlock()
		}
	}
	for _, e := range asked {
		if locked[e.Volume] != nil {
			continue
		}
		unlock, err := a.volumeLock(e.Volume).take(patience, nil)
		if err != nil {
			release()
			return nil, e.Apart(server)
		}
		locked[e.Volume] = unlock
	}
	if err := a.partsHere(ctx, asked); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// mountedFrom says whether a part's volume is mounted where it belongs.
func (a *Agent) mountedFrom(e mysql.Elsewhere) bool {
	on, err := filesystem.MountedAt(a.storage.Proc, e.Mount)
	return err == nil && len(on) > 0 && on[len(on)-1].Source == "/dev/mapper/bootswain-"+e.Volume
}

// bound says whether something is mounted wherever the server is to find its files.
func (a *Agent) bound(asked []mysql.Elsewhere) bool {
	places := []string{mysql.Directory}
	for _, e := range asked {
		places = append(places, e.Part.Place(mysql.Directory))
	}
	return !slices.ContainsFunc(places, func(place string) bool {
		on, err := filesystem.MountedAt(a.storage.Proc, place)
		return err != nil || len(on) == 0
	})
}

// onlyCopies keeps an isolated copy of a database from the original's redo log and
// binary logs.
func (a *Agent) onlyCopies(asked *spec.MySQL, data volume.State, server mysql.Server) error {
	if !asked.Isolated || !data.Copied() {
		return nil
	}
	report, _ := health.Latest(statusFile, health.Uptime())
	for _, e := range asked.Elsewhere {
		part := mysql.PartView{Part: mysql.Part(e.Part), Volume: e.Volume}
		if report == nil {
			return part.NoCopy(server.Name())
		}
		if on := volumeIn(report, e.Volume); part.Part != mysql.TmpDir && (on == nil || !on.Copy) {
			return part.NoCopy(server.Name())
		}
	}
	return nil
}

// apart is how the first of the database's other volumes stands that is not up; nil
// if all are.
func (d *daemon) apart(v view) *situation.Situation {
	if v.mysql == nil {
		return nil
	}
	for _, e := range v.mysql.Elsewhere {
		on, kept := d.views[e.Volume]
		if s := on.sentence(); !kept || !usable(s) {
			return s
		}
	}
	return nil
}

// wakeDatabase has the database's volume looked at once more when another that has
// some of its files came up.
func (d *daemon) wakeDatabase(came string) {
	for name, k := range d.keepers {
		if name != came && k.mysql.Uses(came) {
			k.wake()
		}
	}
}
