package luks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"bootswain/internal/direct"
)

// Sizes of the specification.
const (
	binarySize    = 4096
	minHeaderSize = 16 << 10
	maxHeaderSize = 4 << 20
)

// What a copy begins with; the secondary's letters are turned around, so that
// nothing else takes it for a header.
var (
	primaryMagic   = []byte("LUKS\xba\xbe")
	secondaryMagic = []byte("SKUL\xba\xbe")
)

// Offsets in the binary header; numbers are big-endian, texts end with a zero.
const (
	atVersion   = 6
	atSize      = 8
	atSequence  = 16
	atLabel     = 24  // 48 bytes
	atAlgorithm = 72  // 32 bytes
	atUUID      = 168 // 40 bytes, in LUKS1 too
	atSubsystem = 208 // 48 bytes
	atOffset    = 256
	atChecksum  = 448 // 64 bytes
	atEnd       = 512
)

// readCopy reads one copy. It returns nil where there is none or it is not
// whole, and says in seen whether it at least begins like one. An error means
// that the device could not be read, or is ErrNewer. What the copy has in common
// with the other one, which may be nil, is not parsed again.
func readCopy(r io.ReaderAt, at int64, magic []byte, other *Header) (h *Header, seen bool, err error) {
	b, err := readFull(r, at, binarySize)
	if err != nil || !bytes.HasPrefix(b, magic) {
		return nil, false, err
	}
	switch version := binary.BigEndian.Uint16(b[atVersion:]); {
	case version == 1 && at > 0: // LUKS1 has one copy
		return nil, true, nil
	case version == 1:
		return &Header{Version: 1, UUID: text(b[atUUID:], 40)}, true, nil
	case version != 2:
		return nil, true, ErrNewer
	}
	size := binary.BigEndian.Uint64(b[atSize:])
	if size < minHeaderSize || size > maxHeaderSize || size&(size-1) != 0 || binary.BigEndian.Uint64(b[atOffset:]) != uint64(at) {
		return nil, true, nil
	}
	if b, err = readFull(r, at, int(size)); err != nil || b == nil || !checksumHolds(b) {
		return nil, true, err
	}
	h = &Header{}
	if h.area, _, _ = bytes.Cut(b[binarySize:], []byte{0}); other != nil && bytes.Equal(h.area, other.area) {
		*h = *other
	} else if err := h.metadata(); err != nil {
		return nil, true, nil
	}
	h.Version, h.UUID, h.Label, h.Subsystem = 2, text(b[atUUID:], 40), text(b[atLabel:], 48), text(b[atSubsystem:], 48)
	h.sequence, h.size = binary.BigEndian.Uint64(b[atSequence:]), int64(size)
	return h, true, nil
}

// readFull reads n bytes, or returns nil where the device ends before.
func readFull(r io.ReaderAt, at int64, n int) ([]byte, error) {
	b := direct.Buffer(n)
	switch got, err := r.ReadAt(b, at); {
	case got == n:
		return b, nil
	case err == nil || errors.Is(err, io.EOF):
		return nil, nil
	default:
		return nil, fmt.Errorf("at byte %d: %w", at+int64(got), err)
	}
}

// checksumHolds recomputes the checksum over the copy with the checksum's own
// place zeroed. cryptsetup writes SHA-256 unless it is built otherwise.
func checksumHolds(b []byte) bool {
	if text(b[atAlgorithm:], 32) != "sha256" {
		return false
	}
	h := sha256.New()
	h.Write(b[:atChecksum])
	h.Write(make([]byte, atEnd-atChecksum))
	h.Write(b[atEnd:])
	return bytes.Equal(h.Sum(nil), b[atChecksum:atChecksum+sha256.Size])
}

func text(b []byte, size int) string {
	t, _, _ := bytes.Cut(b[:size], []byte{0})
	return string(t)
}

// metadata reads the JSON area, as far as we need it.
func (h *Header) metadata() error {
	var m struct {
		Keyslots map[string]json.RawMessage `json:"keyslots"`
		Tokens   map[string]json.RawMessage `json:"tokens"`
		Segments map[string]struct {
			Type       string `json:"type"`
			Offset     string `json:"offset"`
			Encryption string `json:"encryption"`
			SectorSize int    `json:"sector_size"`
		} `json:"segments"`
		Config struct {
			Requirements struct {
				Mandatory []string `json:"mandatory"`
			} `json:"requirements"`
		} `json:"config"`
	}
	if err := json.Unmarshal(h.area, &m); err != nil {
		return err
	}
	h.keyslots, h.Keyslots, h.Requirements = m.Keyslots, len(m.Keyslots), m.Config.Requirements.Mandatory
	if s, ok := m.Segments["0"]; ok {
		h.Cipher, h.SectorSize = s.Encryption, s.SectorSize
		h.DataOffset, _ = strconv.ParseInt(s.Offset, 10, 64)
	}
	for id := range m.Tokens {
		if _, err := strconv.Atoi(id); err != nil {
			return err
		}
	}
	h.token = sync.OnceValues(func() (*Token, error) { return tokenIn(m.Tokens) })
	return nil
}
