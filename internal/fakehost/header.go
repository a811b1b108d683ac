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
	Digests  json.RawMessage            `json:"digests"`
	Config   json.RawMessage            `json:"config"`
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

// copies are the header's two copies, in the format of LUKS2.
func (h *header) copies() (both [2][]byte) {
	text, err := json.Marshal(h)
	if err != nil || len(text) >= headerSize-4096 {
		panic(fmt.Sprintf("a header of %d bytes: %v", len(text), err))
	}
	for i := range both {
		b := make([]byte, headerSize)
		copy(b, []string{"LUKS", "SKUL"}[i]+"\xba\xbe\x00\x02")
		binary.BigEndian.PutUint64(b[8:], headerSize)
		binary.BigEndian.PutUint64(b[16:], h.seq)
		copy(b[24:72], h.label)
		copy(b[72:], "sha256")
		copy(b[168:208], h.uuid)
		copy(b[208:256], h.sub)
		binary.BigEndian.PutUint64(b[256:], uint64(i)*headerSize)
		copy(b[4096:], text)
		sum := sha256.Sum256(b)
		copy(b[448:], sum[:])
		both[i] = b
	}
	return both
}

// write writes both copies, one after the other, each in two parts: the power
// may fail in the middle of a copy.
func (m *Machine) writeHeader(file string, h *header) error {
	h.seq++
	both := h.copies()
	return m.all(
		func() error { return put(file, 0, both[0][:4096]) },
		func() error { return put(file, 4096, both[0][4096:]) },
		func() error { return put(file, headerSize, both[1][:4096]) },
		func() error { return put(file, headerSize+4096, both[1][4096:]) },
	)
}

// readHeader reads the newest whole copy, as cryptsetup does; nil for none. even
// tells whether the other copy is whole and as new.
func readHeader(file string, at int64) (h *header, even bool) {
	var best []byte
	for i := range int64(2) {
		b := get(file, at+i*headerSize, headerSize)
		sum := bytes.Clone(b[448:480])
		clear(b[448:512])
		if want := sha256.Sum256(b); !bytes.Equal(want[:], sum) {
			continue
		}
		even = best != nil && bytes.Equal(b[16:24], best[16:24]) // their sequence numbers
		if best == nil || bytes.Compare(b[16:24], best[16:24]) > 0 {
			best = b
		}
	}
	if best == nil {
		return nil, false
	}
	h = &header{seq: binary.BigEndian.Uint64(best[16:]), label: text(best[24:72]), uuid: text(best[168:208]), sub: text(best[208:256])}
	area, _, _ := bytes.Cut(best[4096:], []byte{0})
	if json.Unmarshal(area, h) != nil {
		return nil, false
	}
	return h, even
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
	h, even := readHeader(file, 0)
	if h == nil || even {
		return h, nil
	}
	for i, b := range h.copies() {
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

// raw is metadata that the model writes for others to read.
func raw(v map[string]any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
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
	h, _ := readHeader(file, at)
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
