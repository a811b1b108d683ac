package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"bootswain/ebs"
	"bootswain/filesystem"
	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/spec"
	"bootswain/volume"
)

const (
	lookEvery  = 2 * time.Second  // how often a volume in use is looked at; a lost disk tells nobody
	retryEvery = 30 * time.Second // how often a volume that is not up is tried again without an event
)

// view is what a keeper knows of its volume.
type view struct {
	want    spec.Volume
	mysql   *spec.MySQL // nil: the database is not on it
	state   volume.State
	trouble *situation.Situation // nil when the volume is up
	working string               // the step being carried out, "" between passes
	passed  bool                 // at least one pass has ended
	steps   []health.Step        // what was done since boot; of what was done often, the first and the last time
	note    string               // of a volume that is up: what else is to be said
}

// keeper keeps one volume as it was asked for. Its goroutine is the only one
// of this process that changes the volume.
//
//	          kick, or 30 s            plan empty
//	blocked ───────────────▶ working ────────────▶ up
//	   ▲                        │                  │ a member is gone, or the mount is
//	   └────────────────────────┘                  ▼
//	   │  waiting, locked, refused, failed       lost: database stopped, volume taken apart
//	   └───────────────────────────────────────────┘
type keeper struct {
	*Agent
	want  spec.Volume
	mysql *spec.MySQL
	holds bool          // some of the database's files are on it
	ec2   *ebs.EC2      // nil: there is none to ask
	kick  chan struct{} // capacity 1: something happened, look again
	tell  func(view)

	turn time.Time // when it last had the volume's lock

	mu   sync.Mutex // of view: progress comes from several goroutines
	view view
	lost *situation.Situation // since a member was lost, until the volume is up again
	// Steps that were begun since the volume was last up, by the passes before
	// and by this one.
	tried, begun map[string]bool

	inquiry inquiry
	beside  sync.WaitGroup // what goes on beside the passes
}

func (a *Agent) newKeeper(c *ebs.EC2, want spec.Volume, mysql *spec.MySQL, holds bool, tell func(view)) *keeper {
	return &keeper{
		Agent: a, ec2: c, want: want, mysql: mysql, holds: holds, tell: tell,
		kick: make(chan struct{}, 1),
		view: view{want: want, mysql: mysql}, tried: map[string]bool{}, begun: map[string]bool{},
	}
}

// wake makes the keeper look again. It never blocks.
func (k *keeper) wake() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// keep runs until ctx ends.
func (k *keeper) keep(ctx context.Context) {
	defer k.beside.Wait()
	for ctx.Err() == nil {
		k.pass(ctx)
		pause := retryEvery
		if k.view.trouble == nil || k.view.trouble.Word == situation.Down {
			pause = lookEvery
		} else if errors.Is(k.view.trouble, ebs.ErrSoon) {
			pause = soonEvery
		}
		select {
		case <-ctx.Done():
		case <-k.kick:
		case <-time.After(pause):
		}
	}
}

// pass brings the volume one round nearer to what was asked.
func (k *keeper) pass(ctx context.Context) {
	up := k.view.passed && k.view.trouble == nil
	lost := k.gone(ctx, up)
	if up && lost == nil && k.stillMounted() && k.stillBound() && !volume.Grown(k.storage, k.view.state) {
		k.record(ctx, k.view.state)
		k.annotate()
		k.lookAgain(ctx)
		return
	}
	if lost != nil && k.holds {
		// Before the lock: someone's long work on another volume must not keep
		// a database running on a disk that is gone.
		k.killDatabase(ctx, lost, isDown(k.want.Name))
	}
	turn := k.volumeLock(k.want.Name)
	another := !modified(turn.path).Equal(k.turn) // has it, or had it
	release, err := turn.take(ctx, nil)
	if err != nil {
		return
	}
	defer release()
	k.turn = modified(turn.path)
	if isDown(k.want.Name) {
		k.lost = nil
		k.settle(volume.State{}, downSituation(k.want.Name))
		return
	}
	if lost != nil {
		if another && k.whole(ctx) {
			return
		}
		k.takeApart(ctx, lost)
	}
	chosen, known, err := k.answer()
	if !known || err != nil {
		k.ask(ctx)
	}
	if !known {
		return // until EC2 has answered
	}
	var state volume.State
	if err == nil {
		k.mu.Lock()
		k.view.want = chosen.want
		k.mu.Unlock()
		state, err = k.bringUp(ctx, chosen, k.mysql, k.progress)
	}
	if err == nil {
		k.lost = nil
	} else if len(state.Missing) > 0 || state.Xen {
		k.ask(ctx)
	}
	k.settle(state, err)
}

// lookAgain looks at a volume that is up, once somebody else has had it: its
// keys may be others. A disk that is lost while they have it must not wait to be
// found until they are done.
func (k *keeper) lookAgain(ctx context.Context) {
	turn := k.volumeLock(k.want.Name)
	if modified(turn.path).Equal(k.turn) {
		return
	}
	patience, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	release, err := turn.take(patience, nil)
	if err != nil {
		return
	}
	defer release()
	k.turn = modified(turn.path)
	if state, err := volume.Observe(ctx, k.storage, k.view.want); err == nil && k.stillMounted() {
		k.settle(state, nil)
	}
}

// whole says whether a volume is up that seemed lost: what was seen of it may have
// been somebody taking it down, who has brought it up again since.
func (k *keeper) whole(ctx context.Context) bool {
	state, err := volume.Observe(ctx, k.storage, k.view.want)
	if err != nil || !k.stillMounted() || volume.Lost(ctx, k.storage, state) != nil {
		return false
	}
	p, err := volume.Plan(k.view.want, state)
	if err != nil || len(p) > 0 {
		return false
	}
	k.settle(state, nil)
	return true
}

// annotate shows what there is to be said of a volume that is up.
func (k *keeper) annotate() {
	k.inquiry.mu.Lock()
	note := k.inquiry.note
	k.inquiry.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.view.note != note {
		k.view.note = note
		k.tell(k.view)
	}
}

// gone says what is gone of a volume that was up; nil if nothing is.
func (k *keeper) gone(ctx context.Context, up bool) *situation.Situation {
	if !up {
		return nil
	}
	err := volume.Lost(ctx, k.storage, k.view.state)
	s := situation.Of(err)
	if s == nil && err != nil {
		s = &situation.Situation{Word: situation.Failed, Subject: k.want.Name, Text: err.Error() + ".", Cause: err}
	}
	if s != nil {
		s.Text = strings.TrimSuffix(s.Text, ".") + ", " + clock(time.Now()) + "."
	}
	return s
}

// stillMounted looks into the mount table, since anyone may unmount.
func (k *keeper) stillMounted() bool {
	on, err := filesystem.MountedAt(k.storage.Proc, k.want.Mount)
	return err == nil && len(on) > 0
}

// stillBound looks whether the server finds its files on their volumes: one that
// goes takes all of them along.
func (k *keeper) stillBound() bool {
	return k.mysql == nil || len(k.mysql.Elsewhere) == 0 || k.bound(elsewhere(k.mysql))
}

// takeApart removes what is left of a volume that lost a member, so that the
// member can come back.
func (k *keeper) takeApart(ctx context.Context, lost *situation.Situation) {
	k.lost = lost
	k.settle(k.view.state, lost)
	if k.holds {
		if err := k.releaseDataDirectory(ctx); err != nil {
			k.say("%s: %v", k.want.Name, err)
		}
	}
	if err := volume.Down(ctx, k.storage, k.want.Name, k.showProgress); err != nil {
		k.say("%s: %v", k.want.Name, err)
	}
}

// settle ends a pass.
func (k *keeper) settle(state volume.State, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.view.state, k.view.working, k.view.passed = state, "", true
	k.view.trouble = nil
	if err != nil {
		k.view.trouble = k.sentence(err)
		maps.Copy(k.tried, k.begun)
	} else {
		clear(k.tried)
	}
	clear(k.begun)
	k.tell(k.view)
}

// sentence turns what ended a pass into what people read. A lost member stays
// the news until it is back.
func (k *keeper) sentence(err error) *situation.Situation {
	s := situation.Of(err)
	if s == nil {
		s = &situation.Situation{
			Word: situation.Failed, Subject: k.want.Name, Text: err.Error() + ".", Cause: err,
			Next: "tried again every 30s; journalctl -u bootswain",
		}
	}
	if k.lost != nil && s.Word == situation.Waiting {
		return k.lost
	}
	return s
}

// progress shows what goes on. Of what was tried before, to no avail, only the end
// of a long work or a good end is news: until then that trouble is what people
// and monitors are to see.
func (k *keeper) progress(p volume.Progress) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begun[p.Step] = true
	if k.tried[p.Step] && (p.Failed || !p.Ended && p.Total == 0) {
		return
	}
	k.view.working = goingOn(p)
	if p.Ended {
		k.view.working = ""
		done := health.Step{Name: p.Volume + ": " + p.Step, Start: time.Now().Add(-p.Took), Duration: p.Took}
		same := 0
		k.view.steps = slices.DeleteFunc(slices.Clone(k.view.steps), func(s health.Step) bool {
			if s.Name != done.Name {
				return false
			}
			same++
			return same > 1
		})
		k.view.steps = append(k.view.steps, done)
		k.showProgress(p)
	}
	k.tell(k.view)
}

// bringUp makes a volume ready and, if it is the database's, its data
// directory too.
func (a *Agent) bringUp(ctx context.Context, chosen choice, mysql *spec.MySQL, progress func(volume.Progress)) (volume.State, error) {
	host, want := *a.storage, chosen.want
	host.Absent = chosen.absent
	if mysql != nil {
		host.Database = want.Name
	}
	state, err := volume.Converge(ctx, &host, want, progress)
	if err == nil && mysql != nil {
		err = a.partsHere(ctx, elsewhere(mysql))
	}
	if err == nil && mysql != nil {
		var going volume.Progress
		var began time.Time
		begin := func(what string) {
			began, going = time.Now(), volume.Progress{Volume: want.Name, Step: what}
			progress(going)
		}
		end := func(failed bool) {
			going.Ended, going.Failed, going.Took = true, failed, time.Since(began)
			progress(going)
		}
		begin("put the database's directory on the volume")
		err = a.bindDataDirectory(ctx, want, mysql, state, func(what string) { end(false); begin(what) })
		end(err != nil)
	}
	return state, err
}

func isDown(name string) bool {
	_, err := os.Stat(filepath.Join(downDir, name))
	return err == nil
}

func markDown(name string) error {
	if err := os.MkdirAll(downDir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(downDir, name), nil, 0o600)
}

func unmarkDown(name string) error {
	if err := os.Remove(filepath.Join(downDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot bring %s up: %w", name, err)
	}
	return nil
}

func downSituation(name string) *situation.Situation {
	return &situation.Situation{
		Word: situation.Down, Subject: name, Text: "taken down by a person.",
		Next: "bootswain up " + name + ", or reboot",
	}
}
