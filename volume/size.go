package volume

import (
	"context"
	"errors"
	"fmt"

	"bootswain/filesystem"
	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/spec"
)

const (
	minExt4 = 16 << 20 // mke2fs would take less, for less and less of a journal
	// memberSlack is what md takes of a small member: its superblock, and what is
	// left over of the last chunk (mdadm, super1.c, validate_geometry1).
	memberSlack = 2 << 20
)

// observeMkfs finds out whether there is mkfs.xfs where that decides what file
// system is made, and how small an XFS it makes where that may matter.
func (w *work) observeMkfs(ctx context.Context, s *State, want spec.Volume) error {
	makes := want.Create == spec.CreateIfBlank || s.Mode == spec.EncryptionEphemeral
	if !makes || len(s.Missing) > 0 || s.ready() {
		return nil
	}
	if want.Filesystem.Type != "" && (want.Filesystem.Type != "xfs" || !s.small()) {
		return nil
	}
	smallest, err := filesystem.MinXFS(ctx, w.host.Run)
	if errors.As(err, new(*run.MissingError)) {
		s.NoXFS = want.Filesystem.Type == ""
		return nil
	}
	s.MinXFS = smallest
	return err
}

// small tells whether a device is of a size that some mkfs.xfs would find too
// small.
func (s State) small() bool {
	for _, d := range s.Devices {
		if d.Size < 1<<30 {
			return true
		}
	}
	return false
}

// tooSmall refuses devices, all of one size, that are too small for a new set.
func (s State) tooSmall(want spec.Volume) *situation.Situation {
	kind, d := s.kindOf(want), s.Devices[0]
	smallest := s.least(kind)
	if d.Size >= smallest {
		return nil
	}
	next := "use larger volumes"
	if ext4 := s.least("ext4"); kind == "xfs" && d.Size >= ext4 {
		next += ", or filesystem: {type: ext4}"
	}
	on := fmt.Sprintf("takes %d", smallest>>20)
	if s.striped() {
		on = fmt.Sprintf("on %d devices takes %d of each", s.Wanted, smallest>>20)
	}
	return s.refused(next, "%s has %d MiB, and an %s volume %s; nothing written", name(d.Device), d.Size>>20, kind, on)
}

// least is the size that each device must have, in whole MiB.
func (s State) least(kind string) int64 {
	room := int64(minExt4)
	if kind == "xfs" {
		room = s.MinXFS
	}
	if s.Mode == spec.EncryptionNone {
		room += claimSize
	} else {
		room += luks.HeaderSize
	}
	if s.striped() {
		room = room/int64(s.Wanted) + memberSlack
	}
	const mib = 1 << 20
	return max((room+mib-1)/mib*mib, luks.MinSize)
}
