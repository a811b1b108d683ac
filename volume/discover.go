package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"bootswain/ebs"
	"bootswain/internal/direct"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/raid"
	"bootswain/spec"
)

// overdueAfter is the patience with volumes that no launch data speaks of.
const overdueAfter = 5 * time.Minute

// Discover finds ready sets of ours among the attached EBS volumes that nobody
// claimed (by volume id), and returns for each what launch data would have said
// of it, as its token tells; and which of them carries a database. It writes
// nothing and starts nothing. Unfinished sets are left out. An incomplete set,
// or one that cannot be used, is a situation in the error; what was found is
// right nonetheless.
func Discover(_ context.Context, h *Host, claimed []string) (volumes []spec.Volume, database string, err error) {
	devices, err := h.EBS.Devices()
	if err != nil {
		return nil, "", fmt.Errorf("cannot look for volumes: %w", err)
	}
	devices = slices.DeleteFunc(devices, func(d ebs.Device) bool { return slices.Contains(claimed, d.VolumeID) })
	var faults []error
	for _, set := range sets(devices) {
		token, err := set.token()
		if err != nil {
			faults = append(faults, err)
		}
		if err != nil || token == nil || token.Intent != luks.Ready {
			continue
		}
		volumes = append(volumes, fromToken(token, set.ids))
		if token.Purpose.MySQL {
			database = token.Set
		}
	}
	return volumes, database, errors.Join(faults...)
}

// fromToken is the launch data's entry for a volume that explains itself. It
// creates nothing, and its key is the volume's own.
func fromToken(t *luks.Token, ids []string) spec.Volume {
	return spec.Volume{
		Name: t.Set, EBS: spec.EBS{IDs: ids}, Create: spec.CreateNever,
		Filesystem: spec.Filesystem{Type: t.Purpose.Type, Options: t.Purpose.Options},
		Mount:      t.Purpose.Mount, OverdueAfter: overdueAfter, Required: true,
	}
}

// set is what may be a volume: an array's members, or one encrypted device.
type set struct {
	name   string
	ids    []string // in the order of their roles
	of     int      // devices that it has
	header func() (*luks.Header, error)
	clones bool
}

// sets groups devices by what they say they belong to. One that cannot be read
// belongs to nothing that could be brought up.
func sets(devices []ebs.Device) []*set {
	var order []*set
	arrays := map[string]map[int]ebs.Device{}
	known := map[string]*set{}
	for _, d := range devices {
		f, err := direct.Open(d.Path)
		if err != nil {
			continue
		}
		sb, err := raid.ReadSuperblock(f, d.Size)
		f.Close()
		switch {
		case err != nil:
		case sb == nil:
			order = append(order, &set{ids: []string{d.VolumeID}, of: 1, header: func() (*luks.Header, error) { return luks.ReadHeader(d.Path) }})
		case setOf(sb.Name) != "" && sb.Level == 0 && sb.Role >= 0:
			s := known[sb.UUID]
			if s == nil {
				s = &set{name: setOf(sb.Name), of: sb.RaidDisks}
				known[sb.UUID], arrays[sb.UUID] = s, map[int]ebs.Device{}
				order = append(order, s)
			}
			if _, twice := arrays[sb.UUID][sb.Role]; twice {
				s.clones = true
			}
			arrays[sb.UUID][sb.Role] = d
			if sb.Role == 0 {
				s.header = func() (*luks.Header, error) { return headerOnMember(d, sb) }
			}
		}
	}
	for uuid, s := range known {
		for role := range s.of {
			if d, there := arrays[uuid][role]; there {
				s.ids = append(s.ids, d.VolumeID)
			}
		}
	}
	return order
}

// headerOnMember reads the header in an array from the member with role 0: both
// copies lie in its first chunk.
func headerOnMember(d ebs.Device, sb *raid.Superblock) (*luks.Header, error) {
	f, err := direct.Open(d.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return luks.Read(io.NewSectionReader(f, sb.DataOffset, min(sb.ChunkBytes, sb.DataSize)))
}

// token returns the set's token, or nil for a set that is not a volume of ours
// or never was finished.
func (s *set) token() (*luks.Token, error) {
	if s.clones {
		return nil, &situation.Situation{Word: situation.Refused, Subject: s.name,
			Text: fmt.Sprintf("%s and others say that they are the same device of one set, as a volume and its copy do; nothing written.", strings.Join(s.ids, ", ")),
			Next: "detach the copies, or name the devices in the launch data"}
	}
	if len(s.ids) < s.of {
		return nil, &situation.Situation{Word: situation.Waiting, Subject: s.name,
			Text: fmt.Sprintf("%d of %d volumes of a set that the launch data does not name.", len(s.ids), s.of),
			Next: "attach the others; continues by itself"}
	}
	h, err := s.header()
	if errors.Is(err, luks.ErrNone) || errors.Is(err, luks.ErrDamaged) || errors.Is(err, luks.ErrNewer) || err == nil && !isOurs(h) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look at %s: %w", strings.Join(s.ids, ", "), err)
	}
	t, err := h.Token()
	if err != nil {
		return nil, &situation.Situation{Word: situation.Refused, Subject: h.Label, Cause: err,
			Text: fmt.Sprintf("%s: %v; nothing written.", strings.Join(s.ids, ", "), err), Next: "name it in the launch data, or launch a newer image"}
	}
	return t, nil
}
