package fakehost

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"bootswain/internal/run"
	"bootswain/luks"
)

// header is the LUKS2 metadata that the model writes; Pad is what the model
// encrypts data with.
type header struct {
	Keyslots map[string]slot            `json:"keyslots"`
	Tokens   map[string]json.RawMessage `json:"tokens"`
	Segments map[string]segment         `json:"segments"`
	Digests  map[string]any             `json:"digests"`
	Config   map[string]any             `json:"config"`
	Pad      byte                       `json:"pad"`

	seq   uint64
	uuid  string
	label string
	sub   string
}

type segment struct {
	Type       string `json:"type"`
	Offset     string `json:"offset"`
	IVTweak    string `json:"iv_tweak"`
	Size       string `json:"size"`
	Encryption string `json:"encryption"`
	SectorSize int    `json:"sector_size"`
}

// copyBytes is one copy of the header, in the format of LUKS2.
func (h *header) copyBytes(secondary bool) []byte {
	b := make([]byte, headerSize)
	copy(b, "LUKS\xba\xbe\x00\x02")
	if secondary {
		copy(b, "SKUL")
		binary.BigEndian.PutUint64(b[256:], headerSize)
	}
	binary.BigEndian.PutUint64(b[8:], headerSize)
	binary.BigEndian.PutUint64(b[16:], h.seq)
	copy(b[24:72], h.label)
	copy(b[72:], "sha256")
	copy(b[168:208], h.uuid)
	copy(b[208:256], h.sub)
	text, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	copy(b[4096:], text)
	sum := sha256.Sum256(b)
	copy(b[448:], sum[:])
	return b
}

// write writes both copies, one after the other, each in two parts: the power
// may fail in the middle of a copy.
func (m *Machine) writeHeader(file string, h *header) error {
	h.seq++
	first, second := h.copyBytes(false), h.copyBytes(true)
	return m.all(
		func() error { return put(file, 0, first[:4096]) },
		func() error { return put(file, 4096, first[4096:]) },
		func() error { return put(file, headerSize, second[:4096]) },
		func() error { return put(file, headerSize+4096, second[4096:]) },
	)
}

// readHeader reads the newest whole copy, as cryptsetup does; nil for none.
func readHeader(file string, at int64) *header {
	var best *header
	for i := range int64(2) {
		b := get(file, at+i*headerSize, headerSize)
		sum := bytes.Clone(b[448:480])
		clear(b[448:512])
		if want := sha256.Sum256(b); !bytes.Equal(want[:], sum) {
			continue
		}
		h := &header{seq: binary.BigEndian.Uint64(b[16:]), label: text(b[24:72]), uuid: text(b[168:208]), sub: text(b[208:256])}
		area, _, _ := bytes.Cut(b[4096:], []byte{0})
		if json.Unmarshal(area, h) == nil && (best == nil || h.seq > best.seq) {
			best = h
		}
	}
	return best
}

// luksDevice returns the device that cryptsetup is given, and its header.
func (m *Machine) luksDevice(c run.Cmd, path string) (*node, *header, error) {
	n, err := m.device(c, 4, path)
	if err != nil {
		return nil, nil, err
	}
	h, err := m.loadHeader(n.file)
	if err == nil && h == nil {
		err = exit(c, 1, "Device %s is not a valid LUKS device.", path)
	}
	return n, h, err
}

// loadHeader reads a header as a program does that works on it: cryptsetup
// first writes the newest copy over one that is torn or older.
func (m *Machine) loadHeader(file string) (*header, error) {
	h := readHeader(file, 0)
	if h == nil {
		return nil, nil
	}
	for i, b := range [][]byte{h.copyBytes(false), h.copyBytes(true)} {
		at := int64(i * headerSize)
		if bytes.Equal(get(file, at, headerSize), b) {
			continue
		}
		if err := m.all(func() error { return put(file, at, b) }); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func text(b []byte) string {
	t, _, _ := bytes.Cut(b, []byte{0})
	return string(t)
}

func digest(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// fsUUID is the UUID of the file system at that place, or "".
func fsUUID(file string, at int64) string {
	switch b := get(file, at, 4096); {
	case string(b[:4]) == "XFSB":
		return hex.EncodeToString(b[32:48])
	case b[1024+56] == 0x53 && b[1024+57] == 0xef:
		return hex.EncodeToString(b[1024+104 : 1024+120])
	}
	return ""
}

// checkHeader notes it if a header that says ready is written over, or a file
// system that was mounted.
func (m *Machine) checkHeader(file string, at int64, what, by string) {
	if fs := fsUUID(file, at); m.used[fs] {
		m.destroyed(fmt.Sprintf("the file system %s on %s", fs, what), by)
	}
	h := readHeader(file, at)
	if h == nil {
		return
	}
	for _, t := range h.Tokens {
		var token struct{ Intent luks.Intent }
		if json.Unmarshal(t, &token) == nil && token.Intent == luks.Ready {
			m.destroyed(fmt.Sprintf("the ready volume %s on %s", h.label, what), by)
		}
	}
}
