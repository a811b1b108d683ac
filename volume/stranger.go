package volume

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"bootswain/filesystem"
	"bootswain/internal/situation"
)

// observeStrangers looks for what others have put beside something of this set,
// where that decides what may be done. On a device whose content would be made
// anew: a partition table leaves md's superblock where it was, and a disk that
// was put to another use still carries our claim in its last block. And where
// only the second copy of a ready set's header is left: opening it would put the
// first back over what stands there now.
func (w *work) observeStrangers(ctx context.Context, s *State) error {
	var anew []*Device
	for i := range s.Devices {
		if d := &s.Devices[i]; s.mayWrite(*d) && d.Content.Kind != KindNothing {
			anew = append(anew, d)
		}
	}
	for _, d := range anew {
		all, err := filesystem.Signatures(ctx, w.host.Run, d.Path)
		if err != nil {
			return err
		}
		others := s.strangers(all)
		if len(others) == 0 {
			continue
		}
		d.Content.Kind = KindForeign
		d.Content.Holds = words(others) + " beside what is left of an unfinished set"
		if d.Content.Fingerprint, err = filesystem.Fingerprint(d.Path, d.Size, all); err != nil {
			return err
		}
	}
	_, path, _ := s.target()
	if !s.ready() || s.Mapping != nil || path == "" || s.Header == nil || s.Header.Damaged() != "first" {
		return nil
	}
	all, err := filesystem.Signatures(ctx, w.host.Run, path)
	s.Over = words(s.strangers(all))
	return err
}

// strangers leaves out the signatures that this set, or any of ours, has.
func (s State) strangers(signatures []filesystem.Signature) []filesystem.Signature {
	return slices.DeleteFunc(slices.Clone(signatures), func(on filesystem.Signature) bool {
		return on.Type == "linux_raid_member" || on.Type == "crypto_LUKS" || on.UUID == s.uuid(kindFilesystem)
	})
}

// Worn is what should be mended of a volume that is up nevertheless; nil for
// nothing.
func (s State) Worn() *situation.Situation {
	if stuck := situation.Of(s.Stuck); stuck != nil {
		return &situation.Situation{Word: situation.Degraded, Subject: s.Name, Cause: s.Stuck,
			Text: "up, but smaller than its device: " + stuck.Text, Next: "mend that, and then bootswain apply " + s.Name}
	}
	if !s.ready() || s.Header == nil || s.Header.Damaged() == "" {
		return nil
	}
	_, path, _ := s.target()
	return &situation.Situation{Word: situation.Degraded, Subject: s.Name,
		Text: fmt.Sprintf("up, but the %s copy of its LUKS header on %s is damaged; works from the other.", s.Header.Damaged(), strings.Join(s.ids(), ", ")),
		Next: "cryptsetup repair " + path + ", and look into why"}
}

// unfinishedElsewhere is a ready set with a header that asks for more than
// opening.
func (s State) unfinishedElsewhere() *situation.Situation {
	asks := strings.Join(s.Header.Requirements, ", ")
	if strings.Contains(asks, "reencrypt") {
		_, path, _ := s.target()
		return s.refused("cryptsetup reencrypt --resume-only "+cmp.Or(path, "the array")+", or restore a snapshot", "it is half re-encrypted (its LUKS header asks for %s); nothing written", asks)
	}
	return s.refused("launch an image that knows it", "its LUKS header asks for %s, which is not known here; nothing written", asks)
}

// readOnly refuses a set with a device that the kernel does not write to; nil
// for none.
func (s State) readOnly() *situation.Situation {
	for _, d := range s.Devices {
		if d.ReadOnly {
			return s.refused("attach it writable", "%s is read-only; nothing written", name(d.Device))
		}
	}
	return nil
}
