package luks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"bootswain/internal/direct"
)

// Answers of ReadHeader that are no headers.
var (
	ErrNone    = errors.New("no LUKS header")
	ErrDamaged = errors.New("no copy of the LUKS header is whole")
	ErrNewer   = errors.New("the LUKS header is of a version that this bootswain does not know")
)

// Header is what stands in a LUKS header. The format is the LUKS2 on-disk
// format specification, version 1.1.3.
type Header struct {
	Version      int // 1 or 2; of a LUKS1 header only the UUID is read
	UUID         string
	Label        string
	Subsystem    string
	Cipher       string // of the data, "aes-xts-plain64"
	DataOffset   int64
	SectorSize   int
	Keyslots     int      // how many are filled
	Requirements []string // features without which the device must not be used, such as "online-reencrypt"
	Copies       [2]Copy  // primary, secondary

	sequence uint64
	size     int64  // of this copy
	area     []byte // JSON of which the rest is
	token    func() (*Token, error)
	keyslots map[string]json.RawMessage
}

// Sequence counts the header's updates.
func (h *Header) Sequence() uint64 { return h.sequence }

// Whole tells whether both copies are whole and of the same update.
func (h *Header) Whole() bool {
	return h.Copies[0].Valid && h.Copies[1].Valid && h.Copies[0].Sequence == h.Copies[1].Sequence
}

// HasKeyslot tells whether a keyslot is filled.
func (h *Header) HasKeyslot(n int) bool {
	_, filled := h.keyslots[strconv.Itoa(n)]
	return filled
}

// Copy is one of the header's two copies.
type Copy struct {
	Valid    bool
	Sequence uint64 // the higher of the valid copies is the header
	token    func() (*Token, error)
}

// Token returns our token, or nil if the header has none. A copy that says
// ready outranks one that does not: the two differ only while a header is
// being written, and the word ready is written once, after all else.
func (h *Header) Token() (*Token, error) {
	newest := h.Copies
	if newest[1].Sequence > newest[0].Sequence {
		slices.Reverse(newest[:])
	}
	var best *Token
	for _, c := range newest {
		if !c.Valid {
			continue
		}
		t, err := c.token()
		if err != nil {
			return nil, err
		}
		if t != nil && (best == nil || t.Intent == Ready && best.Intent != Ready) {
			best = t
		}
	}
	return best, nil
}

// ReadHeader reads both copies of the header on a device. It returns ErrNone
// where no copy begins like a LUKS header, ErrDamaged where one does and none is
// whole, and ErrNewer where one has a version that is neither 1 nor 2 and none is
// whole; any other error means that the device could not be read.
func ReadHeader(device string) (*Header, error) {
	f, err := direct.Open(device) // what is on the device, not what was cached of it
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read a LUKS header on %s: %w", device, err)
	}
	return h, nil
}

// Read reads a header as ReadHeader does. r may begin at any place where a
// device's data begins, such as a member of a striped array of which the first
// chunk holds both copies.
func Read(r io.ReaderAt) (*Header, error) {
	first, seen, err := readCopy(r, 0, primaryMagic, nil)
	newer := errors.Is(err, ErrNewer)
	if err != nil && !newer {
		return nil, err
	}
	if first != nil && first.Version == 1 {
		return first, nil
	}
	var second *Header
	// The secondary copy stands where the primary ends; without a primary it
	// is looked for at every size that the specification knows.
	for at := int64(minHeaderSize); at <= maxHeaderSize && second == nil; at *= 2 {
		if first != nil && first.size != at {
			continue
		}
		var magic bool
		second, magic, err = readCopy(r, at, secondaryMagic, first)
		if err != nil && !errors.Is(err, ErrNewer) {
			return nil, err
		}
		seen, newer = seen || magic, newer || err != nil
	}
	switch {
	case first == nil && second == nil && newer:
		return nil, ErrNewer
	case first == nil && second == nil && seen:
		return nil, ErrDamaged
	case first == nil && second == nil:
		return nil, ErrNone
	case first == nil:
		second.Copies[1] = second.copy()
		return second, nil
	case second == nil:
		first.Copies[0] = first.copy()
		return first, nil
	}
	h := first
	if second.sequence > first.sequence {
		h = second
	}
	h.Copies = [2]Copy{first.copy(), second.copy()}
	return h, nil
}

// Damaged names the copy of the header that is not whole, "first" or "second", or
// is "" where both are. One is enough to open the device; cryptsetup restores the
// other from it.
func (h *Header) Damaged() string {
	switch {
	case h.Version != 2 || h.Copies[0].Valid && h.Copies[1].Valid:
		return ""
	case h.Copies[0].Valid:
		return "second"
	}
	return "first"
}

func (h *Header) copy() Copy { return Copy{Valid: true, Sequence: h.sequence, token: h.token} }
