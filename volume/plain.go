package volume

import (
	"context"
	"errors"
	"io"
	"slices"

	"bootswain/filesystem"
	"bootswain/internal/direct"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/spec"
)

// A plain volume, encryption: none, has no header in which it could say that it
// is ready. Its claims say so by being gone (see Plan). A device-mapper mapping
// shows what it stands on but for the tail where the claims are, so nothing that
// is ever stored on it can look like one.

// mapPlain makes the mapping of a plain volume.
type mapPlain struct{ at }

func (m *mapPlain) String() string { return "map " + m.on() + ", not encrypted" }

func (m *mapPlain) Apply(ctx context.Context) error {
	if err := m.same(); err != nil {
		return err
	}
	kernel, path, err := m.target()
	if err != nil {
		return err
	}
	if _, err := m.mappingOn(kernel, path); err == nil {
		return nil
	}
	size, err := m.s.w.plainSize(kernel, m.s.striped())
	if err != nil {
		return err
	}
	if err := luks.MapPlain(ctx, m.host().Run, path, mappingName(m.s.Name), size); err != nil {
		return err
	}
	_, err = m.mappingOn(kernel, path)
	return err
}

// plainSize is how much of an array or device a plain volume has: all but the
// claim at the end of a device, which in an array lies in the last stripe.
func (w *work) plainSize(kernel string, striped bool) (int64, error) {
	size, err := w.size(kernel)
	if err != nil || !striped {
		return claimAt(size), err
	}
	chunk, err := w.attribute(kernel, "md/chunk_size")
	if err != nil {
		return 0, err
	}
	disks, err := w.attribute(kernel, "md/raid_disks")
	return size - chunk*disks, err
}

// plainContent recognises what is on the one device of a plain volume. What a
// claim of this very set stands behind may be cut off.
func (s State) plainContent(c *claim, f io.ReaderAt) (content Content, own bool, err error) {
	sb, err := filesystem.ReadSuperblock(f)
	switch {
	case errors.Is(err, filesystem.ErrDamaged) && s.claims(c):
		return Content{Kind: KindPlain}, true, nil
	case errors.Is(err, filesystem.ErrDamaged):
		return Content{}, false, nil // wipefs names it
	case err != nil:
		return Content{}, false, err
	case s.names(sb):
		return Content{Kind: KindPlain}, sb.UUID == s.uuid(kindFilesystem), nil
	}
	if h, err := luks.Read(f); err == nil && isOurs(h) && h.Label == s.Name {
		return Content{Kind: KindForeign, Holds: "an encrypted volume of this name, and the launch data says encryption: none"}, false, nil
	}
	return Content{}, false, nil
}

// plainBeside recognises, where an encrypted volume is asked for, a plain one of
// this name.
func (s State) plainBeside(f io.ReaderAt) Content {
	if sb, err := filesystem.ReadSuperblock(f); err != nil || !s.names(sb) {
		return Content{} // wipefs names it, or nothing is there
	}
	return Content{Kind: KindForeign, Holds: "a volume of this name that is not encrypted, and the launch data does not say encryption: none"}
}

// names tells whether a file system is a plain volume's of this name, whichever
// devices it was made of: by its label, and a UUID of the version that no mkfs
// makes by itself.
func (s State) names(sb *filesystem.Superblock) bool {
	return sb != nil && sb.Label == s.Name && sb.UUID[14] == '8'
}

// observePlain reads the file system of a plain volume that may not be up yet.
func (s *State) observePlain() error {
	path, at, size := s.headerPlace()
	if path == "" {
		return nil
	}
	fs := observeFilesystem(path, at, size)
	if fs == nil || fs.Fault == "" && !s.names(&fs.Superblock) {
		return nil
	}
	s.Filesystem = fs
	for i := range s.Devices {
		end := fs.Size + claimSize
		if m := s.Devices[i].Content.Member; m != nil {
			end = m.DataOffset + m.DataSize
		}
		if err := s.Devices[i].oldClaim(end); err != nil {
			return err
		}
	}
	return nil
}

// oldClaim finds the claim that a device has kept at its former end if it has
// grown since.
func (d *Device) oldClaim(end int64) error {
	if d.Claim != nil || claimAt(end) >= claimAt(d.Size) {
		return nil
	}
	f, err := direct.Open(d.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	d.Claim, err = readClaim(f, end)
	return err
}

// whole tells whether the file system is this volume's and can be trusted.
func (s State) whole() bool {
	return s.Filesystem != nil && s.Filesystem.Fault == "" && s.names(&s.Filesystem.Superblock)
}

// readyPlain: the file system is there, and no device says any more, or by
// another's word, that nothing on it is wanted.
func (s State) readyPlain() bool {
	return s.whole() && !slices.ContainsFunc(s.Devices, func(d Device) bool { return d.Claim != nil })
}

// made tells whether a plain set was cut off while its claims were removed: the
// first of them goes when the file system is on the devices, and not before.
func (s State) made() bool {
	if s.Mode != spec.EncryptionNone || !s.whole() || s.Filesystem.UUID != s.uuid(kindFilesystem) {
		return false
	}
	gone := slices.ContainsFunc(s.Devices, func(d Device) bool { return d.Claim == nil })
	return gone && !slices.ContainsFunc(s.Devices, func(d Device) bool { return d.Claim != nil && !s.claims(d.Claim) })
}

// notPlain says why a complete array is not a plain volume's.
func (s State) notPlain() string {
	switch {
	case s.Header != nil || s.HeaderErr != nil:
		return "it has a LUKS header, and the launch data says encryption: none"
	case s.Filesystem == nil:
		return "it has no file system of this volume"
	case s.Filesystem.Fault != "":
		return "its file system cannot be trusted (" + s.Filesystem.Fault + ")"
	}
	return "it is unfinished, and was begun with other volumes"
}

// plainHolds refuses the one device of a plain volume for what is on it.
func (s State) plainHolds(d Device) *situation.Situation {
	if s.Filesystem != nil && s.Filesystem.Fault != "" {
		return s.holds(d, "a file system that cannot be trusted ("+s.Filesystem.Fault+")")
	}
	return s.holds(d, "an unfinished set that is not this one")
}
