package volume

import (
	"context"
	"fmt"
	"path/filepath"

	"bootswain/filesystem"
	"bootswain/luks"
	"bootswain/plan"
	"bootswain/spec"
)

// A volume on one EBS volume grows with it: first the mapping, then the file
// system, both while it is mounted and both safe to repeat. An array cannot: its
// members' places in the stripes are given by their size.

// slack is how much room a layer may leave for good: an encryption header, the
// claim's place, a last group that is too small for a file system. Volumes grow
// by the GiB.
const slack = 64 << 20

// grown tells which of the layers has room to grow into.
func (s State) grown() (mapping, fs bool) {
	if s.striped() || s.Mapping == nil || s.Mode == spec.EncryptionEphemeral {
		return false, false
	}
	mapping = s.Devices[0].Size-s.Mapping.Size >= slack
	return mapping, mapping || s.roomy()
}

// roomy tells whether the file system is smaller than what it stands on.
func (s State) roomy() bool {
	return s.Mapping != nil && s.Filesystem != nil && s.Mapping.Size-s.Filesystem.Size >= slack
}

// Notes are what people should know of a volume that is up.
func (s State) Notes() []string {
	var notes []string
	for _, d := range s.Devices {
		m := d.Content.Member
		if s.Array == nil || m == nil {
			continue
		}
		if more := d.Size - m.DataOffset - m.DataSize; more >= slack {
			notes = append(notes, fmt.Sprintf("%s has grown by %d MiB, which a RAID0 cannot use; to have more, make a set of larger volumes and copy", d.VolumeID, more>>20))
		}
	}
	return notes
}

// observeMountedSize asks the kernel for the size of a file system that looks
// smaller than it might be: its superblock may not be on the device yet.
func (w *work) observeMountedSize(s *State) {
	if len(s.Mounts) == 0 || !s.roomy() {
		return
	}
	dir := filepath.Join(w.host.Root, s.Mounts[0].Point)
	s.Filesystem.Size = max(s.Filesystem.Size, filesystem.MountedSize(dir, s.Mapping.Path))
}

// grows tells whether a step has a volume that is up grow. It stays up where that
// fails.
func grows(step plan.Step) bool {
	switch step.(type) {
	case *growMapping, *growFilesystem:
		return true
	}
	return false
}

// growMapping gives a mapping the room that its device has got.
type growMapping struct{ open }

func (g *growMapping) String() string { return "grow the mapping of " + g.on() }

func (g *growMapping) Apply(ctx context.Context) error {
	if err := g.same(); err != nil {
		return err
	}
	m, err := g.mapping()
	if err != nil {
		return err
	}
	if !m.Plain() {
		return g.unlock(ctx, Deed{Kind: DeedResize, Mapping: m.Name})
	}
	kernel, path, err := g.target()
	if err != nil {
		return err
	}
	size, err := g.s.w.plainSize(kernel, false)
	if err != nil {
		return err
	}
	return luks.ResizePlain(ctx, g.host().Run, path, m.Name, size)
}

// growFilesystem gives a mounted file system the room that its mapping has.
type growFilesystem struct {
	at
	kind, where string
}

func (g *growFilesystem) String() string {
	return fmt.Sprintf("grow the file system (%s) of %s", g.kind, g.on())
}

func (g *growFilesystem) Apply(ctx context.Context) error {
	if err := g.same(); err != nil {
		return err
	}
	m, err := g.mapping()
	if err != nil {
		return err
	}
	if g.kind == "ext4" {
		return filesystem.GrowExt4(ctx, g.host().Run, m.Path)
	}
	return filesystem.GrowXFS(ctx, g.host().Run, g.where)
}

// Grown tells whether a device has become larger since it was seen in s. It asks
// sysfs only.
func Grown(h *Host, s State) bool {
	w := newWork(h, s.Name, nil)
	for _, d := range s.Devices {
		if now, err := w.size(d.Name); err == nil && now > d.Size {
			return true
		}
	}
	return false
}
