package volume

import (
	"context"
	"errors"
	"fmt"
	"os"

	"bootswain/filesystem"
	"bootswain/internal/direct"
	"bootswain/internal/run"
	"bootswain/plan"
	"bootswain/raid"
)

// claimDevice marks a device as part of a set in the making.
type claimDevice struct {
	at
	d Device
}

func (c *claimDevice) String() string {
	return fmt.Sprintf("claim %s for %s", name(c.d.Device), c.s.Name)
}

func (c *claimDevice) Destroys() []plan.Device { return []plan.Device{planDevice(c.d)} }

// Apply looks once more for what may have come since the device was proven
// blank, and writes the claim. A device that our own array holds cannot be
// opened exclusively, and need not be.
func (c *claimDevice) Apply(ctx context.Context) error {
	h := c.host()
	if err := h.EBS.Recheck(c.d.Device); err != nil {
		return err
	}
	if c.d.Content.Kind == KindNothing {
		signatures, err := filesystem.Signatures(ctx, h.Run, c.d.Path)
		if err != nil {
			return err
		}
		if len(signatures) > 0 {
			return fmt.Errorf("%s holds %s since a moment ago; nothing written", name(c.d.Device), words(signatures))
		}
	}
	if err := c.notReadyYet(); err != nil {
		return err
	}
	return writeBlock(c.d.Device, claim{Set: c.s.Name, UUID: c.s.uuid(kindSet)}.encode(), c.s.Array == nil)
}

// notReadyYet makes sure that the header that was seen, if one was, has not
// become ready since.
func (c *claimDevice) notReadyYet() error {
	path, at, size := c.s.headerPlace()
	if path == "" {
		return nil
	}
	now := c.s.again()
	if err := observeHeaderAt(&now, path, at, size); err != nil {
		return err
	}
	if now.ready() || now.TokenErr != nil {
		return fmt.Errorf("%s is ready since a moment ago; nothing written", c.s.Name)
	}
	return nil
}

// wipe ends the content of a device that a person released by its fingerprint.
type wipe struct {
	at
	d     Device
	found string
}

func (w *wipe) String() string {
	return fmt.Sprintf("wipe %s, released as %s, which holds %s", name(w.d.Device), w.found, w.d.Content.words())
}

func (w *wipe) Destroys() []plan.Device { return []plan.Device{planDevice(w.d)} }

// Apply takes the fingerprint anew, notes in a claim that the content with this
// fingerprint is released, so that a crash from here on is taken up again, and
// removes every signature, the first MiB and the last.
func (w *wipe) Apply(ctx context.Context) error {
	h := w.host()
	if err := h.EBS.Recheck(w.d.Device); err != nil {
		return err
	}
	if err := free(w.d.Path); err != nil {
		return err
	}
	if err := w.stillReleased(ctx); err != nil {
		return err
	}
	mark := claim{Set: w.s.Name, UUID: w.s.uuid(kindSet), Released: w.found}
	if err := writeBlock(w.d.Device, mark.encode(), true); err != nil {
		return err
	}
	if _, err := h.Run.Run(ctx, run.Cmd{Name: "wipefs", Args: []string{"--all", "--force", w.d.Path}}); err != nil {
		return err
	}
	return w.zeroEdges(claim{Set: mark.Set, UUID: mark.UUID})
}

// stillReleased makes sure that the device holds what was released, or what
// wiping that has left.
func (w *wipe) stillReleased(ctx context.Context) error {
	f, err := direct.Open(w.d.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if c, err := readClaim(f, w.d.Size); err != nil {
		return err
	} else if w.s.claims(c) && c.Released == w.found {
		return nil
	}
	signatures, err := filesystem.Signatures(ctx, w.host().Run, w.d.Path)
	if err != nil {
		return err
	}
	now, err := filesystem.Fingerprint(w.d.Path, w.d.Size, signatures)
	if err != nil {
		return err
	}
	if now != w.found {
		return fmt.Errorf("%s was released as %s and is now %s; nothing written", name(w.d.Device), w.found, now)
	}
	return nil
}

// edge is how much of a wiped device is zeroed at its beginning and its end.
const edge = 1 << 20

// zeroEdges zeroes both ends and leaves the claim, once the rest is on the device.
// It says no more that anything was released: should the disk be put to another
// use now, what comes on it was not.
func (w *wipe) zeroEdges(mark claim) error {
	f, err := os.OpenFile(w.d.Path, os.O_RDWR|os.O_EXCL, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	zeros, end := make([]byte, edge), claimAt(w.d.Size)
	_, first := f.WriteAt(zeros, 0)
	_, last := f.WriteAt(zeros[:edge-claimSize], end+claimSize-edge)
	if err := errors.Join(first, last, f.Sync()); err != nil {
		return err
	}
	_, err = f.WriteAt(mark.encode(), end)
	return errors.Join(err, f.Sync())
}

// words says what is on a device.
func (c Content) words() string {
	switch {
	case c.Kind == KindMember:
		return fmt.Sprintf("device %d of %d of array %q %s", c.Member.Role+1, c.Member.RaidDisks, c.Member.Name, short(c.Member.RFC()))
	case c.Kind == KindEncrypted:
		return "an unfinished set"
	case c.Kind == KindNothing && c.FirstData >= 0:
		return fmt.Sprintf("data of no known kind (from byte %d)", c.FirstData)
	case c.Kind == KindNothing:
		return "nothing known"
	}
	return c.Holds
}

// unclaim removes the claims that are still there. What stands at their place
// by now may be the file system's; then it is no claim and stays.
func (a at) unclaim() error {
	for _, d := range a.s.Devices {
		c, err := claimOn(d.Device)
		if err != nil {
			return err
		}
		if !a.s.claims(c) {
			continue
		}
		if err := a.host().EBS.Recheck(d.Device); err != nil {
			return err
		}
		if err := writeBlock(d.Device, make([]byte, claimSize), false); err != nil {
			return fmt.Errorf("cannot remove the claim on %s: %w", name(d.Device), err)
		}
		if c, err = claimOn(d.Device); err != nil {
			return err
		}
		if a.s.claims(c) {
			return fmt.Errorf("cannot remove the claim on %s: it is still there", name(d.Device))
		}
	}
	return nil
}

// ownOrNone makes sure that a member has no superblock but this set's.
func (a at) ownOrNone(d Device) error {
	f, err := direct.Open(d.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	sb, err := raid.ReadSuperblock(f, d.Size)
	if err != nil {
		return err
	}
	if sb != nil && sb.RFC() != a.s.uuid(kindArray) {
		return fmt.Errorf("%s is a member of array %q since a moment ago; nothing written", name(d.Device), sb.Name)
	}
	return nil
}
