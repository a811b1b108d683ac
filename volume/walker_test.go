package volume

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// homes are the volumes that launch data asks for at first: devices by their
// number. On real disks the last carries a file system alone, the others in twos.
var homes = [][]int{{3}, {0, 1}, {2, 1}, {0, 1, 2}}

// strays are what wrong launch data may ask a model machine for.
var strays = [][]int{{0}, {2}, {0, 2}, {1, 3}, {0, 1, 2, 3}}

// walker is a machine to which deeds happen, and what a person would know of its
// disks.
type walker struct {
	t     *testing.T
	b     bench
	m     *fakehost.Machine // nil for a real one
	count *tally
	disks map[string]*walked

	all  []string // volume ids, of those too that are not attached
	home []int
	want spec.Volume
	keys Keys

	up      string // the set that is up, as far as anybody knows
	refused string // "vol-…:fingerprint" that the last refusal told
	seen    string // the sum of that disk then
	blank   string // the sum of a blank disk
	rows    int
	wiped   bool // something that was ready was released
}

// walked is a disk.
type walked struct {
	attached bool
	owner    string // the set that was to be made of it; ""
	wanted   bool   // somebody may want its bytes
	ready    bool   // they are a set's, not somebody else's
	released bool   // a person gave up what was on it
	mute     bool   // it cannot be read
	harmed   bool   // something happened to it that a person has to look at
	sum      string // of its bytes, where they are wanted
	whole    string // the same before its first header was damaged, of which cryptsetup makes a new one; ""
	row      string // what was stored on the volume that it is part of
}

// key names the set that the launch data asks for.
func (w *walker) key() string { return strings.Join(slices.Sorted(slices.Values(w.ids())), " ") }

// ids are the volumes that the launch data asks for.
func (w *walker) ids() []string {
	ids := slices.Clone(w.want.EBS.IDs)
	for _, name := range w.want.EBS.Devices {
		ids = append(ids, w.all[name[len(name)-1]-'f'])
	}
	return ids
}

func (w *walker) named(numbers []int) (ids []string) {
	for _, n := range numbers {
		ids = append(ids, w.all[n])
	}
	return ids
}

// calm brings the launch data back to what it was at first; releases stay.
func (w *walker) calm() {
	wipe := w.want.Wipe
	w.want, w.keys = over(w.named(w.home)...), keyring{}
	w.want.Wipe = wipe
}

// do lets a deed happen.
func (w *walker) do(d deed) error {
	id := w.all[d.a%4]
	disk := w.disks[id]
	switch d.kind {
	case "boot":
		w.reboot()
		return w.converge()
	case "restart":
		return w.converge()
	case "cut":
		return w.cut(d.a)
	case "down":
		err := Down(w.t.Context(), w.b.host(), "data", nil)
		if err == nil {
			w.up = ""
		}
		return errors.Join(w.words(err), w.kept())
	case "pull":
		if disk.attached {
			w.b.detach(w.t, id)
			disk.attached = false
		}
		if d.b%2 == 0 {
			return w.converge()
		}
	case "attach":
		w.attach(d.a % 5)
	case "clone":
		w.clone(d.a%4, d.b%4)
	case "corrupt":
		w.corrupt(id, d.b)
	case "change":
		w.change(d.a, d.b)
	case "discover":
		return w.discover()
	}
	return nil
}

func (w *walker) reboot() {
	w.b.reboot(w.t)
	w.up = ""
}

// attach brings one disk back, or all; a real machine finds them all at once.
func (w *walker) attach(n int) {
	if w.m == nil {
		n = 4
	}
	for i, id := range w.all {
		if disk := w.disks[id]; !disk.attached && (i == n || n == 4) {
			w.b.attach(w.t, id)
			disk.attached = true
		}
	}
}

// cut boots, and the power fails meanwhile.
func (w *walker) cut(n int) error {
	w.reboot()
	w.begin()
	cut := w.off(n, func(h *Host) error {
		h.Keys = w.keys
		_, err := Converge(w.t.Context(), h, w.want, nil)
		return err
	})
	w.reboot()
	if cut {
		w.count.cuts++
	}
	return w.kept()
}

// begin notes what a set may be made of from now on.
func (w *walker) begin() {
	for _, id := range w.ids() {
		switch d := w.disks[id]; {
		case d.owner == "":
			d.owner = w.key()
		case d.owner != w.key() && !d.ready:
			d.owner = "several"
		}
	}
}

// converge boots as far as storage goes, and judges.
func (w *walker) converge() error {
	due, others := w.due(), w.others()
	w.begin()
	h := w.b.host()
	h.Keys = w.keys
	s, err := Converge(w.t.Context(), h, w.want, nil)
	if kept := w.kept(); kept != nil {
		return kept
	}
	if err == nil && others != "" {
		return fmt.Errorf("%s was another set's", others)
	}
	if err == nil {
		w.count.converged++
		return w.use(w.ids(), s.mountedAt(w.want.Mount))
	}
	if s := situation.Of(err); s != nil && s.Word == situation.Failed && w.m != nil && w.sound() {
		return fmt.Errorf("it should have been refused: %w", err)
	}
	if due {
		return fmt.Errorf("nothing is wrong with it, but %w", err)
	}
	w.note(err)
	return w.words(err)
}

// others names a disk of what is asked for that another set was begun on; "" if
// there is none.
func (w *walker) others() string {
	for _, id := range w.ids() {
		if d := w.disks[id]; w.m != nil && !d.ready && d.owner != "" && d.owner != w.key() && d.owner != "several" && !d.released && w.b.sum(w.t, id) != w.blank {
			return id
		}
	}
	return ""
}

// sound tells whether no disk is missing, and all can be read.
func (w *walker) sound() bool {
	for _, d := range w.disks {
		if !d.attached || d.mute {
			return false
		}
	}
	return true
}

// note keeps the fingerprint that a refusal tells.
func (w *walker) note(err error) {
	if s := situation.Of(err); s != nil {
		w.count.word(string(s.Word))
		if _, found, ok := strings.Cut(s.Next, "--wipe "); ok {
			id, _, _ := strings.Cut(found, ":")
			w.refused, w.seen = found, w.b.sum(w.t, id)
		}
	}
}

// words makes sure that an error tells people what to do.
func (w *walker) words(err error) error {
	if err == nil {
		return nil
	}
	s := situation.Of(err)
	if s == nil || s.Next == "" || s.Subject != "data" || strings.Contains(s.Text, "no progress") {
		return fmt.Errorf("nobody knows what to do: %w", err)
	}
	if left := w.b.up(w.t); strings.Count(left, "array ") > 1 || strings.Count(left, ") of [") > 1 {
		return fmt.Errorf("two arrays: %s", left)
	}
	return nil
}

// due tells whether nothing keeps the volume from coming up: its disks are there
// and unharmed, blank or this very set's.
func (w *walker) due() bool {
	if w.up != "" && w.up != w.key() || w.want.Create != spec.CreateIfBlank || w.keys != (keyring{}) || len(w.want.Encryption.Sealed) == 0 {
		return false
	}
	alone := w.all[3]
	if ids := w.ids(); w.m == nil && (len(ids) == 1) != slices.Contains(ids, alone) {
		return false // too small, or not of one size
	}
	for _, id := range w.ids() {
		d := w.disks[id]
		if !d.attached || d.harmed || d.owner != "" && d.owner != w.key() {
			return false
		}
	}
	return true
}

// kept makes sure that what somebody may want is as it was.
func (w *walker) kept() error {
	if w.m != nil && len(w.m.Destroyed) > 0 && !w.wiped {
		w.count.losses++
		return fmt.Errorf("destroyed: %v", w.m.Destroyed)
	}
	for id, d := range w.disks {
		// A real file system writes when it is mounted; its row tells.
		if !d.wanted || w.m == nil && (d.ready || !d.attached) {
			continue
		}
		if now := w.b.sum(w.t, id); now != d.sum && now != d.whole {
			w.count.losses++
			return fmt.Errorf("%s was wanted and has changed", id)
		}
	}
	return nil
}

// use looks for the row of a volume that is up, and stores the next.
func (w *walker) use(ids []string, mounted bool) error {
	if !mounted {
		return errors.New("converged, and not mounted")
	}
	row := ""
	if w.m != nil || slices.ContainsFunc(ids, func(id string) bool { return w.disks[id].wanted }) {
		row = w.b.load(w.t, "/srv/data")
	}
	wanted, fits := false, false
	for _, id := range ids {
		d := w.disks[id]
		wanted = wanted || d.wanted
		fits = fits || d.row == row
	}
	if wanted && (!fits || row == "") {
		w.count.losses++
		return fmt.Errorf("the row is %q", row)
	}
	w.rows++
	row = fmt.Sprint("row ", w.rows)
	w.b.store(w.t, "/srv/data", row)
	w.up = strings.Join(slices.Sorted(slices.Values(ids)), " ")
	for _, id := range ids {
		d := w.disks[id]
		d.owner, d.wanted, d.ready, d.row = w.up, true, true, row
		d.sum, d.whole = w.b.sum(w.t, id), ""
	}
	return nil
}

// settle boots undisturbed with everything there.
func (w *walker) settle() error {
	w.attach(4)
	w.calm()
	for id, d := range w.disks {
		if d.mute {
			w.m.Unreadable(id, false)
			d.mute = false
		}
	}
	w.reboot()
	return w.converge()
}
