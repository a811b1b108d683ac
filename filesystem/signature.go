package filesystem

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"bootswain/internal/run"
)

// Signature is a mark by which something recognises a device as its own: a file
// system, a partition table, an array, an encrypted or logical volume.
type Signature struct {
	Offset int64  // bytes from the beginning of the device
	Type   string // libblkid's name, "ext4", "linux_raid_member", "crypto_LUKS", "gpt"
	UUID   string // as libblkid prints it; "" if it has none
	Label  string
}

// String returns the signature as people read it: ext4 "backup" 5e1f…, or MBR
// partition table.
func (s Signature) String() string {
	text := s.words()
	if s.Label != "" {
		text += fmt.Sprintf(" %q", s.Label)
	}
	if s.UUID != "" {
		text += " " + s.UUID
	}
	return text
}

// Signatures returns every signature that wipefs knows and finds on a device,
// none for one without any. A device that cannot be read is an error:
// wipefs exits with 0 and an empty list for a device without signatures and
// with 1 for one that it cannot read, where blkid gives the same answer to both.
func Signatures(ctx context.Context, r run.Runner, path string) ([]Signature, error) {
	out, err := r.Run(ctx, run.Cmd{Name: "wipefs", Args: []string{"--json", "--no-act", path}})
	if err != nil {
		return nil, fmt.Errorf("cannot tell what is on %s: %w", path, err)
	}
	signatures, err := parseWipefs(out)
	if err != nil {
		return nil, fmt.Errorf("cannot tell what is on %s: %w", path, err)
	}
	return signatures, nil
}

// parseWipefs reads wipefs's JSON. Anything but a whole answer is an error: it
// must never pass for an empty one.
func parseWipefs(out []byte) ([]Signature, error) {
	var answer struct {
		Signatures *[]struct {
			Offset, Type string
			UUID, Label  *string
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("cannot understand wipefs: %w", err)
	}
	if answer.Signatures == nil {
		return nil, fmt.Errorf("cannot understand wipefs: its answer has no list of signatures")
	}
	var found []Signature
	for _, s := range *answer.Signatures {
		offset, err := strconv.ParseInt(s.Offset, 0, 64)
		if err != nil || offset < 0 {
			return nil, fmt.Errorf("cannot understand wipefs: %q is no offset", s.Offset)
		}
		if s.Type == "" {
			return nil, fmt.Errorf("cannot understand wipefs: the signature at %s has no type", s.Offset)
		}
		found = append(found, Signature{Offset: offset, Type: s.Type, UUID: deref(s.UUID), Label: deref(s.Label)})
	}
	return found, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
