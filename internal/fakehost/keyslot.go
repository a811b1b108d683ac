package fakehost

import (
	"bytes"
	"crypto/aes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/crypto/xts"

	"bootswain/internal/run"
)

// Sizes of what cryptsetup writes for a volume key of 512 bits.
const (
	keyBytes    = 64
	stripes     = 4000
	keyslotArea = 258048
	keyslotsAt  = 32 << 10
)

// Every header of the model has the same volume key and salt, so that the
// material of a keyslot depends on its key only and is made once: making it
// takes longer than all else together.
var (
	volumeKey = bytes.Repeat([]byte("volume key, 64 B"), keyBytes/16)
	salt      = base64.StdEncoding.EncodeToString(make([]byte, 32))
	materials sync.Map
)

// slot is a keyslot as it stands in the metadata; Digest is how the model knows
// which key opens it.
type slot struct {
	Type    string          `json:"type"`
	KeySize int             `json:"key_size"`
	AF      json.RawMessage `json:"af"`
	Area    json.RawMessage `json:"area"`
	KDF     json.RawMessage `json:"kdf"`
	Digest  string          `json:"digest"`
}

// newSlot describes a keyslot. The derivation of the model is always the same,
// whatever is said of it.
func newSlot(n int, key []byte, kdf string) slot {
	return slot{
		"luks2", keyBytes, raw(map[string]any{"type": "luks1", "stripes": stripes, "hash": "sha256"}),
		raw(map[string]any{"type": "raw", "offset": strconv.Itoa(areaAt(n)), "size": strconv.Itoa(keyslotArea), "encryption": "aes-xts-plain64", "key_size": keyBytes}),
		raw(map[string]any{"type": kdf, "hash": "sha256", "iterations": 1, "salt": salt}), digest(key),
	}
}

func areaAt(n int) int { return keyslotsAt + n*keyslotArea }

// keyDigests is the metadata by which a reader knows that it has the volume key.
func keyDigests(slots map[string]slot) json.RawMessage {
	return raw(map[string]any{"0": map[string]any{
		"type": "pbkdf2", "keyslots": slices.Sorted(maps.Keys(slots)), "segments": []string{"0"}, "hash": "sha256", "iterations": 1,
		"salt": salt, "digest": base64.StdEncoding.EncodeToString(derive(volumeKey, 32)),
	}})
}

func derive(key []byte, size int) []byte {
	out, err := pbkdf2.Key(sha256.New, string(key), make([]byte, 32), 1, size)
	if err != nil {
		panic(err)
	}
	return out
}

// material is what stands in the area of a keyslot: the volume key, split so
// that losing any part loses it, and encrypted; LUKS2 on-disk format, section
// "AF splitter".
func material(key []byte) []byte {
	if m, known := materials.Load(digest(key)); known {
		return m.([]byte)
	}
	b, chain := make([]byte, 0, keyBytes*stripes), make([]byte, keyBytes)
	for range stripes - 1 { // stripes of zeros: nobody attacks the model
		b = append(b, make([]byte, keyBytes)...)
		chain = diffuse(chain)
	}
	for i, k := range volumeKey {
		b = append(b, k^chain[i])
	}
	c, err := xts.NewCipher(aes.NewCipher, derive(key, keyBytes))
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += 512 {
		c.Encrypt(b[i:i+512], b[i:i+512], uint64(i/512))
	}
	materials.Store(digest(key), b)
	return b
}

func diffuse(b []byte) (out []byte) {
	for i := 0; i < len(b); i += sha256.Size {
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint32(nil, uint32(i/sha256.Size)), b[i:i+sha256.Size]...))
		out = append(out, sum[:]...)
	}
	return out
}

// unlock returns the keyslot, other than but, that a key opens, or -1.
func (h *header) unlock(file string, key []byte, but int) int {
	for name, s := range h.Keyslots {
		n, _ := strconv.Atoi(name)
		if n != but && s.Digest == digest(key) && bytes.Equal(get(file, int64(areaAt(n)), keyBytes*stripes), material(key)) {
			return n
		}
	}
	return -1
}

// fillKeyslot writes the material in two parts, and then the header.
func (m *Machine) fillKeyslot(file string, h *header, n int, key []byte, kdf string) error {
	b, at := material(key), int64(areaAt(n))
	if err := m.all(
		func() error { return put(file, at, b[:len(b)/2]) },
		func() error { return put(file, at+int64(len(b)/2), b[len(b)/2:]) },
	); err != nil {
		return err
	}
	h.Keyslots[strconv.Itoa(n)] = newSlot(n, key, kdf)
	h.Digests = keyDigests(h.Keyslots)
	return m.writeHeader(file, h)
}

func (m *Machine) addKey(c run.Cmd, options map[string]string, path string) error {
	n, h, err := m.luksDevice(c, path)
	if err != nil {
		return err
	}
	size, _ := strconv.Atoi(options["--keyfile-size"])
	into, err := strconv.Atoi(options["--key-slot"])
	if err != nil {
		into = h.lowestFree()
	}
	switch {
	case h.Keyslots[strconv.Itoa(into)].Type != "":
		return exit(c, 1, "Key slot %d is full, please select another one.", into)
	case h.unlock(n.file, c.Stdin[:size], -1) < 0:
		return exit(c, 2, "No key available with this passphrase.")
	}
	return m.fillKeyslot(n.file, h, into, bytes.Clone(c.Stdin[size:]), options["--pbkdf"])
}

// killSlot wipes the material first, as cryptsetup does, and like cryptsetup has
// the last keyslot removed by its own key.
func (m *Machine) killSlot(c run.Cmd, path, name string) error {
	n, h, err := m.luksDevice(c, path)
	if err != nil {
		return err
	}
	slot, _ := strconv.Atoi(name)
	switch {
	case h.Keyslots[name].Type == "":
		return exit(c, 1, "Keyslot %s is not active.", name)
	case len(h.Keyslots) > 1 && h.unlock(n.file, c.Stdin, slot) < 0 || h.unlock(n.file, c.Stdin, -1) < 0:
		return exit(c, 2, "No key available with this passphrase.")
	}
	if err := m.all(func() error { return put(n.file, int64(areaAt(slot)), zeros[:keyslotArea]) }); err != nil {
		return err
	}
	delete(h.Keyslots, name)
	h.Digests = keyDigests(h.Keyslots)
	return m.writeHeader(n.file, h)
}

// restoreHeader writes a backup over all that comes before the data, in parts.
func (m *Machine) restoreHeader(c run.Cmd, options map[string]string, path string) error {
	n, err := m.device(c, 4, path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(options["--header-backup-file"])
	h, _ := readHeader(options["--header-backup-file"], 0)
	if err != nil || h == nil || strconv.Itoa(len(b)) != h.Segments["0"].Offset {
		return exit(c, 1, "Header backup file does not contain valid LUKS header.")
	}
	var parts []func() error
	part := int64(len(b) / 4)
	for at := int64(0); at < 4*part; at += part {
		parts = append(parts, func() error { return put(n.file, at, b[at:at+part]) })
	}
	return m.all(parts...)
}

// AddOwnKey adds a key as a person would: into the lowest keyslot that is free,
// and slow to try.
func (m *Machine) AddOwnKey(path string, key []byte) {
	m.t.Helper()
	n := m.find(path)
	h, _ := readHeader(n.file, 0)
	m.must(m.fillKeyslot(n.file, h, h.lowestFree(), key, "argon2id"))
	m.flush()
}

// lowestFree is the keyslot that cryptsetup takes where nobody names one.
func (h *header) lowestFree() int {
	for n := 0; ; n++ {
		if h == nil || h.Keyslots[strconv.Itoa(n)].Type == "" {
			return n
		}
	}
}
