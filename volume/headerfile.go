package volume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"bootswain/filesystem"
	"bootswain/internal/atomicfile"
	"bootswain/luks"
	"bootswain/secret"
	"bootswain/spec"
)

// BackUpHeader writes a ready volume's LUKS header, with its keyslots, to a
// file that only its owner can read. Who has the file and a key that once was the
// volume's can open the volume, even after that key was rotated away.
func BackUpHeader(ctx context.Context, h *Host, want spec.Volume, file string) error {
	w := newWork(h, want.Name, nil)
	defer w.end()
	s, err := w.rekeyable(ctx, want)
	if err != nil {
		return err
	}
	err = func() error {
		if !s.Header.Whole() {
			return errors.New("one copy of its LUKS header is damaged; bootswain down and up has it written anew")
		}
		_, path, _ := s.target()
		area, err := s.Header.Area(path)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(file, area, 0o600); err != nil {
			return err
		}
		if opens, known := w.opensBy(ctx, file, s.Token.Sealed, want.Encryption.Sealed); known && !opens {
			return fmt.Errorf("neither its own key nor the launch data's opens what was written to %s", file)
		}
		return nil
	}()
	if err != nil {
		return explain(want.Name, "back up its header", err)
	}
	return nil
}

// opensBy tells whether one of the keys opens a device or a header in a file.
// known is false where no key can be had, or the header cannot be tried.
func (w *work) opensBy(ctx context.Context, path string, own, given []byte) (opens, known bool) {
	for _, ciphertext := range append(secret.Sources(own), secret.Sources(given)...) {
		if len(ciphertext) == 0 {
			continue
		}
		key, err := w.key(ctx, ciphertext)
		if err != nil {
			continue
		}
		err = key.Use(func(k []byte) error { _, err := luks.Keyslot(path, k); return err })
		if err == nil {
			return true, true
		}
		known = known || errors.Is(err, luks.ErrWrongKey)
	}
	return false, known
}

// RestoreHeader writes a backup over the header of a volume that is down. It
// refuses a backup of another set, and one that is older than a header that is
// good. What it writes over is kept beside the backup, in a file named after it
// with ".replaced", which is never overwritten. progress may be nil.
func RestoreHeader(ctx context.Context, h *Host, want spec.Volume, file string, progress func(Progress)) error {
	w := newWork(h, want.Name, progress)
	defer w.end()
	want.Create = spec.CreateNever // no device need be proven blank
	if err := (State{Name: want.Name}).keyed(want); err != nil {
		return err
	}
	r, err := readBackup(want.Name, file)
	if err != nil {
		return err
	}
	s, err := w.observe(ctx, want)
	if err != nil {
		return err
	}
	if err := s.closed(); err != nil {
		return err
	}
	if s.striped() && s.Array == nil {
		step := &assembleArray{s.at()}
		if err := w.do(step.String(), func() error { return step.Apply(ctx) }); err != nil {
			return explain(want.Name, step.String(), err)
		}
		if s, err = w.observe(ctx, want); err != nil {
			return err
		}
	}
	r.at = s.at()
	what := "write the header in " + file + " to " + r.on()
	if err := w.do(what, func() error { return r.run(ctx, want) }); err != nil {
		return explain(want.Name, what, err)
	}
	return nil
}

// restore is a backup that is to be written.
type restore struct {
	at
	file   string
	area   []byte
	header *luks.Header
	token  *luks.Token
}

// readBackup reads a file that somebody brought.
func readBackup(volume, file string) (*restore, error) {
	s := State{Name: volume}
	area, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the backup: %w", err)
	}
	r := &restore{file: file, area: area}
	if r.header, err = luks.Read(bytes.NewReader(area)); err == nil {
		r.token, err = r.header.Token()
	}
	switch {
	case err != nil:
		return nil, s.refused("give another file", "%s is no backup that can be used: %v; nothing written", file, err)
	case !isOurs(r.header) || r.token == nil || r.token.Intent != luks.Ready || !r.header.Whole() || int64(len(area)) != r.header.DataOffset:
		return nil, s.refused("give another file", "%s is not the whole header of a volume that was ready; nothing written", file)
	case r.header.Label != volume || r.token.Set != volume:
		return nil, s.refused("name the volume "+r.token.Set, "%s is of the volume %q; nothing written", file, r.token.Set)
	}
	return r, nil
}

// closed finds what keeps the header from being written over: devices that are
// not all there, and whatever uses them.
func (s State) closed() error {
	switch {
	case s.Conflict != "":
		return s.refused("fix ebs so that every device is named once", "%s; nothing written", s.Conflict)
	case len(s.Missing) > 0:
		return s.incomplete()
	case s.Mapping != nil || s.Orphan != nil || len(s.Mounts) > 0 || s.OtherUser != "":
		return s.refused("bootswain down "+s.Name, "it is open; nothing written")
	case s.striped() && s.members() != nil:
		return s.refused("attach and name exactly the devices of one set", "%v; nothing written", s.members())
	}
	for _, d := range s.Devices {
		if d.Content.Kind == KindUnreadable {
			return s.failed(nil, "replace or re-attach "+d.VolumeID, "%s cannot be read: %s. Nothing written", name(d.Device), d.Content.Fault)
		}
		if d.InUse != "" {
			return s.refused("stop what uses it, or correct ebs", "%s is in use by %s; nothing written", name(d.Device), d.InUse)
		}
	}
	return nil
}

func (r *restore) run(ctx context.Context, want spec.Volume) error {
	if err := r.s.closed(); err != nil {
		return err
	}
	_, path, err := r.target()
	if err != nil {
		return err
	}
	if err := r.belongs(ctx, path, want); err != nil {
		return err
	}
	old, err := r.header.Area(path)
	if err != nil || bytes.Equal(old, r.area) {
		return err
	}
	if _, err := os.Lstat(r.file + ".replaced"); errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.Write(r.file+".replaced", old, 0o600); err != nil {
			return err
		}
	}
	if err := r.same(); err != nil {
		return err
	}
	if err := free(path); err != nil {
		return err
	}
	if err := luks.Restore(ctx, r.host().Run, path, r.file); err != nil {
		return err
	}
	if err := filesystem.Sync(path); err != nil {
		return err
	}
	if now, err := r.header.Area(path); err != nil || !bytes.Equal(now, r.area) {
		return errors.Join(fmt.Errorf("the header on %s does not read back as it was written", path), err)
	}
	return nil
}

// belongs makes sure that the backup is of the set that is on the devices, and
// that nothing better is there.
func (r *restore) belongs(ctx context.Context, path string, want spec.Volume) error {
	s := r.s
	present, err := luks.ReadHeader(path)
	switch {
	case err == nil && present.UUID == r.header.UUID:
		return r.newer(ctx, path, present, want)
	case err == nil:
		return s.refused("give that set's own backup", "%s holds the header of another set (%s, the backup's is %s); nothing written", path, short(present.UUID), short(r.header.UUID))
	case errors.Is(err, luks.ErrNone):
		signatures, err := filesystem.Signatures(ctx, r.host().Run, path)
		if err != nil {
			return err
		}
		if len(signatures) > 0 {
			return s.refused("correct ebs", "%s holds %s; nothing written", path, words(signatures))
		}
	case !errors.Is(err, luks.ErrDamaged):
		return err
	}
	// No header tells which set it is; the volume ids and the array's UUID do.
	was, is := slices.Sorted(slices.Values(r.token.Volumes)), slices.Sorted(slices.Values(s.ids()))
	if !slices.Equal(was, is) || s.striped() && s.Devices[0].Content.Member.RFC() != s.uuid(kindArray) {
		return s.refused("give that set's own backup", "the backup is of a set on %s, and these are %s; nothing written", strings.Join(was, ", "), strings.Join(is, ", "))
	}
	return nil
}

// newer refuses to replace a header that has been updated since the backup was
// made, unless its keyslots are known not to open any more.
func (r *restore) newer(ctx context.Context, path string, present *luks.Header, want spec.Volume) error {
	t, err := present.Token()
	if _, beyond := errors.AsType[*luks.NewerError](err); beyond {
		return r.s.refused("launch an image with a newer bootswain", "%v; nothing written", err)
	}
	if err != nil || t == nil || t.Intent != luks.Ready || present.Sequence() <= r.header.Sequence() {
		return nil
	}
	if opens, known := r.s.w.opensBy(ctx, path, t.Sealed, want.Encryption.Sealed); known && !opens {
		return nil
	}
	return r.s.refused("bootswain up "+r.s.Name, "its header is good and newer than the backup (update %d, the backup's is %d); nothing written", present.Sequence(), r.header.Sequence())
}
