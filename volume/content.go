package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"bootswain/filesystem"
	"bootswain/internal/direct"
	"bootswain/internal/run"
	"bootswain/luks"
	"bootswain/raid"
	"bootswain/spec"
)

// observeDevice finds out what a device holds and who uses it. A device that
// cannot be read is a finding; an error is a machine on which one cannot look.
func (w *work) observeDevice(ctx context.Context, s *State, d *Device) error {
	var err error
	d.Content, d.Claim, err = w.content(ctx, s, d)
	if errors.As(err, new(*run.MissingError)) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		d.Content = Content{Kind: KindUnreadable, Fault: err.Error()}
		return nil
	}
	d.InUse, err = w.user(s, d)
	return err
}

// content reads superblocks and signatures, all past the page cache.
func (w *work) content(ctx context.Context, s *State, d *Device) (Content, *claim, error) {
	f, err := direct.Open(d.Path)
	if err != nil {
		return Content{}, nil, err
	}
	defer f.Close()
	c, err := readClaim(f, d.Size)
	if err != nil {
		return Content{}, nil, err
	}
	content, own, err := w.superblocks(s, d, c, f)
	if err != nil || own {
		return content, c, err
	}
	signatures, err := filesystem.Signatures(ctx, w.host.Run, d.Path)
	switch {
	case err != nil:
		return Content{}, nil, err
	case content.Kind == "" && len(signatures) == 0 && s.othersClaim(c):
		content = Content{Kind: KindForeign, Holds: fmt.Sprintf("an unfinished set %q of bootswain, begun with other volumes", c.Set)}
	case content.Kind == "" && len(signatures) == 0:
		trace, err := filesystem.Trace(f, d.Size)
		if err != nil {
			return Content{}, nil, err
		}
		if trace == "" || s.claims(c) { // what a crash left of the making is noise
			return Content{Kind: KindNothing, FirstData: NotLooked}, c, nil
		}
		content = Content{Kind: KindForeign, Holds: "what looks like " + trace + ", damaged or of a version that is not known here"}
	case content.Kind == "":
		content = Content{Kind: KindForeign, Holds: words(signatures)}
	}
	content.Fingerprint, err = filesystem.Fingerprint(d.Path, d.Size, signatures)
	return content, c, err
}

// superblocks recognises what is ours, and what is an array's or encrypted and
// is not. A zero Kind is neither. own is content that is part of this very set,
// which nobody can release.
func (w *work) superblocks(s *State, d *Device, c *claim, f io.ReaderAt) (content Content, own bool, err error) {
	member, err := raid.ReadSuperblock(f, d.Size)
	switch {
	case errors.Is(err, raid.ErrDamaged):
		return Content{Kind: KindForeign, Holds: "a " + raid.ErrDamaged.Error()}, false, nil
	case errors.Is(err, raid.ErrNewer):
		return Content{Kind: KindForeign, Holds: "an md superblock of a version that is not known here"}, false, nil
	case err != nil:
		return Content{}, false, err
	case member != nil && s.striped() && setOf(member.Name) == s.Name && member.Level == 0:
		return Content{Kind: KindMember, Member: member}, member.RFC() == s.uuid(kindArray), nil
	case member != nil:
		holds := fmt.Sprintf("device %d of %d of array %q %s", member.Role+1, member.RaidDisks, member.Name, short(member.RFC()))
		return Content{Kind: KindForeign, Member: member, Holds: holds}, false, nil
	case s.Mode == spec.EncryptionNone && !s.striped():
		return s.plainContent(c, f)
	}
	header, err := luks.Read(f)
	switch {
	case errors.Is(err, luks.ErrNewer):
		return Content{Kind: KindForeign, Holds: "LUKS encryption of a version that is not known here"}, false, nil
	case errors.Is(err, luks.ErrNone):
		return s.plainBeside(f), false, nil
	case s.striped() && (errors.Is(err, luks.ErrDamaged) || err == nil && !isOurs(header)):
		return Content{}, false, nil // wipefs names it
	case errors.Is(err, luks.ErrDamaged) && s.claims(c):
		return Content{Kind: KindEncrypted}, true, nil // cut off while it was written
	case errors.Is(err, luks.ErrDamaged):
		return Content{Kind: KindForeign, Holds: "a LUKS header that is damaged in both copies"}, false, nil
	case err != nil:
		return Content{}, false, err
	case isOurs(header) && header.Label == s.Name && !s.striped():
		return Content{Kind: KindEncrypted}, header.UUID == s.uuid(kindHeader), nil
	case isOurs(header):
		return Content{Kind: KindForeign, Holds: fmt.Sprintf("the volume %q of bootswain %s", header.Label, short(header.UUID))}, false, nil
	}
	return Content{}, false, nil // wipefs names it
}

// isOurs tells whether a header is one of bootswain's.
func isOurs(h *luks.Header) bool { return h.Version == 2 && h.Subsystem == luks.Subsystem }

// claims tells whether a claim is that of this very set.
func (s State) claims(c *claim) bool {
	return c != nil && len(s.Devices) == s.Wanted && c.Set == s.Name && c.UUID == s.uuid(kindSet)
}

// othersClaim tells whether a claim is that of another set. Which set this one is
// is known once all its devices are there.
func (s State) othersClaim(c *claim) bool {
	return c != nil && len(s.Devices) == s.Wanted && !s.claims(c)
}

// words names signatures as a sentence wants it: ext4 "backup" 5e1f….
func words(signatures []filesystem.Signature) string {
	var list []string
	for _, s := range filesystem.Apart(signatures) {
		s.UUID = short(s.UUID)
		if text := s.String(); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

// short cuts a UUID to what people compare.
func short(uuid string) string {
	if len(uuid) <= 8 {
		return uuid
	}
	return uuid[:4] + "…"
}
