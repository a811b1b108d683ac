package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"bootswain/filesystem"
	"bootswain/health"
	"bootswain/health/vitals"
	"bootswain/internal/situation"
	"bootswain/mysql"
	"bootswain/spec"
	"bootswain/systemd"
	"bootswain/volume"
)

const (
	// heldFile says that the gate refused a start, or that the daemon stopped
	// the server: it is to be started when its volume is back. It is not
	// there when a person stopped the server.
	heldFile = runDir + "/held"

	databaseEvery = 5 * time.Second
	stopLimit     = 30 * time.Second // for a server whose disk is gone

	// endedWith is how long before a disk was found to be gone a server may have
	// failed for that reason: MySQL ends when it cannot write its redo log.
	endedWith = time.Minute
)

// databaseView is how the database server stands, when it belongs to a volume.
type databaseView struct {
	server   mysql.Server
	state    systemd.State
	held     bool
	heldBy   *situation.Situation // what the gate would say, though the volume is up
	isolated bool                 // the launch data ask for it
	limits   vitals.Limits        // that the launch data ask for
	at       time.Time            // when it was looked at; zero: not yet
	version  string               // as the server says; "" if it did not answer
	status   *health.DB           // nil: it did not say
	unread   error                // why not
	recovery *mysql.Recovery      // nil: it does not repair its files
}

// followDatabase looks at the database server every few seconds.
func (a *Agent) followDatabase(ctx context.Context, tell func(databaseView)) {
	var p databaseProbe
	for ctx.Err() == nil {
		if v, err := a.lookAtDatabase(ctx); err == nil {
			if v.state.Running() {
				p.ask(ctx, &v)
			}
			if v.version == "" && v.startsLong() {
				v.recovery = a.recovering(ctx, v.server.Unit, v.state.Since)
			}
			v.at = time.Now()
			tell(v)
		}
		select {
		case <-ctx.Done():
		case <-time.After(databaseEvery):
		}
	}
}

// startsLong says whether it is worth reading what a server that starts writes:
// MariaDB tells systemd that it repairs.
func (v databaseView) startsLong() bool {
	repairs := strings.Contains(v.state.Text, "To recover") || strings.Contains(v.state.Text, "Read redo log")
	return v.state.Active == "activating" && (repairs || time.Since(v.state.Since) > 2*databaseEvery)
}

// lookAtDatabase asks systemd how the server stands.
func (a *Agent) lookAtDatabase(ctx context.Context) (databaseView, error) {
	var v databaseView
	server, err := mysql.Detect(ctx, a.units)
	if err != nil || server.Unit == "" {
		return v, err
	}
	v.server, v.held = server, exists(heldFile)
	if v.state, err = a.units.State(ctx, server.Unit); err != nil || v.state.Running() {
		return v, err
	}
	if _, view := gateView(); v.held && view.Up() {
		v.heldBy = situation.Of(a.mayStart(ctx, server, false))
	}
	return v, nil
}

// sentence says how the database stands; volume is how its volume stands.
func (v databaseView) sentence(volume *situation.Situation) *situation.Situation {
	s := &situation.Situation{Subject: v.server.Name()}
	up, stale := usable(volume), !v.at.IsZero() && time.Since(v.at) > silentAfter
	switch {
	case v.server.Unit == "":
		s.Word, s.Subject = situation.Failed, "mysql"
		s.Text, s.Next = "neither MariaDB nor MySQL is installed in this image.", "install a server in the image, or remove mysql from the launch data"
	case !stale && v.state.Active == "deactivating":
		s.Word, s.Text = situation.Waiting, strings.TrimPrefix(stopText(v.server, v.state), s.Subject+": ")+"."
		s.Next = "nothing; do not kill it, it writes what it has in memory"
	case !stale && v.version != "":
		s.Word, s.Text = situation.Ready, "answers, version "+v.version+v.remarks()+"."
	case !up && volume.Subject == s.Subject:
		s.Word, s.Text, s.Next = situation.Held, volume.Text, volume.Next
	case !up:
		s.Word, s.Text, s.Next = situation.Held, volume.Error(), volume.Next
	case stale:
		s.Word, s.Text, s.Next = situation.Failed, "a look at it did not end; it or its disk does not answer.", "bootswain status; journalctl -u "+v.server.Unit
	case v.recovery != nil:
		s.Word, s.Text, s.Next = situation.Recovering, v.recovery.String()+". Do not restart.", "nothing; answers by itself when it is done"
	case v.state.Running():
		s.Word, s.Text, s.Next = situation.Waiting, fmt.Sprintf("%s, does not answer yet.", v.state.Active), "journalctl -u "+v.server.Unit
	case v.state.Queued:
		s.Word, s.Text, s.Next = situation.Waiting, "its start waits for other units.", "nothing; goes on by itself"
	case v.heldBy != nil:
		return v.heldBy
	case v.held:
		s.Word, s.Text = situation.Waiting, "its volume is ready, so it starts now."
	default:
		s.Word, s.Text, s.Next = situation.Failed, fmt.Sprintf("%s (%s).", v.state.Active, v.state.Result), "systemctl status "+v.server.Unit
	}
	return s
}

// bindDataDirectory makes the database's directory stand on its volume, which is
// up as seen in state, and what else of the server's files is asked for on theirs.
// step is told what takes its time.
func (a *Agent) bindDataDirectory(ctx context.Context, want spec.Volume, asked *spec.MySQL, state volume.State, step func(string)) error {
	server, err := mysql.Detect(ctx, a.units)
	if err != nil {
		return err
	}
	if server.Unit == "" {
		return &situation.Situation{
			Word: situation.Failed, Subject: want.Name,
			Text: "is up, but neither MariaDB nor MySQL is installed in this image.",
			Next: "install a server in the image, or remove mysql from the launch data",
		}
	}
	program, err := a.program(ctx)
	if err != nil {
		return err
	}
	move := mysql.Move{
		Run: a.run, Units: a.units, Server: server, Program: program, Upgrade: asked.Upgrade,
		Volume: want.Name, Mount: want.Mount, Directory: mysql.Directory, Proc: "/proc",
		Step: step, Say: a.say,
	}
	outcome, err := move.TakeOver(ctx)
	switch {
	case err != nil:
		return err
	case outcome == mysql.Copied:
		a.say("%s: the image's databases were copied to %s", want.Name, want.Mount)
	case outcome == mysql.Made:
		a.say("%s: new databases were made on %s; root logs in over the Unix socket", want.Name, want.Mount)
	case outcome == mysql.Adopted:
		a.say("%s: the databases on %s are used as they are", want.Name, want.Mount)
	}
	if outcome != mysql.Bound {
		// What lies beneath, once the volume is gone, is for nobody to write to.
		if err := filesystem.SetImmutable(mysql.Directory, true); err != nil {
			return err
		}
	}
	return a.bindAll(ctx, move, elsewhere(asked), func() error { return a.onlyCopies(asked, state, server) })
}

// releaseDataDirectory stops the server and takes its directory off the
// volume.
func (a *Agent) releaseDataDirectory(ctx context.Context) error {
	server, err := mysql.Detect(ctx, a.units)
	if err != nil || server.Unit == "" {
		return err
	}
	return mysql.Unbind(ctx, a.units, server)
}

// killDatabase ends a server whose disk is gone, and says so in lost. A person who
// takes the volume down has stopped the server before the volume goes; then only a
// stop that may wait for a dead disk is ended.
func (a *Agent) killDatabase(ctx context.Context, lost *situation.Situation, down bool) {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	server, err := mysql.Detect(ctx, a.units)
	if err != nil || server.Unit == "" {
		return
	}
	state, err := a.units.State(ctx, server.Unit)
	ended := err == nil && state.Active == "failed" && time.Since(state.Since) < endedWith && !down
	switch {
	case ended:
		lost.Text += fmt.Sprintf(" %s ended by itself %s.", server.Name(), clock(state.Since))
	case err != nil || !state.Running() || down && state.Active != "deactivating":
		return
	}
	if err := hold(); err != nil {
		a.say("%s: %v", server.Name(), err)
	}
	if ended {
		return
	}
	if err := mysql.StopHard(ctx, a.units, server); err != nil {
		lost.Text += fmt.Sprintf(" %s could not be stopped: %v.", server.Name(), err)
		return
	}
	lost.Text += fmt.Sprintf(" %s stopped %s.", server.Name(), clock(time.Now()))
}

// startHeld starts a server that was held and is no longer. It queues the
// start and does not wait, because the server is ordered after the daemon.
func (a *Agent) startHeld(ctx context.Context, v databaseView) error {
	switch err := os.Remove(heldFile); {
	case errors.Is(err, fs.ErrNotExist):
		return nil // started in the meantime
	case err != nil:
		return err
	}
	if err := a.units.ResetFailed(ctx, v.server.Unit); err != nil {
		return err
	}
	return a.units.Enqueue(ctx, v.server.Unit)
}

// hold notes that the server is to be started once its volume is ready.
func hold() error {
	if err := os.WriteFile(heldFile, nil, 0o600); err != nil {
		return fmt.Errorf("cannot note that the database is held: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// clock is a time of day as the sentences show it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05") }
