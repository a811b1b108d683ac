package fakehost

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"

	"bootswain/internal/run"
)

// signature is one that the model's wipefs knows.
type signature struct {
	Device string  `json:"device"`
	Offset string  `json:"offset"`
	Type   string  `json:"type"`
	UUID   *string `json:"uuid"`
	Label  *string `json:"label"`

	at    int64
	bytes int64
}

// signatures finds what wipefs would.
func (m *Machine) signatures(file string, size int64) []signature {
	for _, d := range m.disks {
		if d.file == file && d.signed != nil {
			return still(file, d.signed)
		}
	}
	var found []signature
	probe := func(at int64, magic, kind string) {
		if string(get(file, at, len(magic))) == magic {
			s := signature{Offset: fmt.Sprintf("%#x", at), Type: kind, at: at, bytes: int64(len(magic))}
			if h := fsUUID(file, 0); (kind == "xfs" || kind == "ext4") && strings.Trim(h, "0") != "" {
				h = strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
				s.UUID = &h
			}
			found = append(found, s)
		}
	}
	probe(0, "LUKS\xba\xbe", "crypto_LUKS")
	probe(headerSize, "SKUL\xba\xbe", "crypto_LUKS")
	probe(0, "XFSB", "xfs")
	probe(510, "\x55\xaa", "dos")
	probe(512, "EFI PART", "gpt")
	probe(size-512, "EFI PART", "gpt")
	probe(0x438, "\x53\xef", "ext4")
	probe(4096, "\xfc\x4e\x2b\xa9", "linux_raid_member")
	return found
}

func (m *Machine) wipefs(c run.Cmd, options map[string]string, words []string) ([]byte, error) {
	n, err := m.device(c, 1, words[0])
	if err != nil {
		return nil, err
	}
	found := m.signatures(n.file, n.size)
	if !has(options, "--all") {
		if len(found) == 0 {
			return []byte("{\n   \"signatures\": []\n}\n"), nil
		}
		out, err := json.Marshal(map[string]any{"signatures": found})
		return out, err
	}
	if m.busy(n) {
		return nil, exit(c, 1, "error: %s: probing initialization failed: Device or resource busy", words[0])
	}
	m.checkMember(n, "wipefs")
	for _, s := range found {
		if err := m.all(func() error { return put(n.file, s.at, zeros[:s.bytes]) }); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// mkfs writes the superblock of XFS, first as unfinished, and zeros the end of
// the device, as mkfs.xfs does.
func (m *Machine) mkfs(c run.Cmd, options map[string]string, words []string) error {
	n, err := m.toFormat(c, has(options, "-f"), words[0])
	if err != nil {
		return err
	}
	id := strings.TrimPrefix(options["-m"], "uuid=")
	unfinished, done := xfs(id, options["-L"], n.size, true), xfs(id, options["-L"], n.size, false)
	return m.all(
		func() error { return write(n.file, n.size-128<<10, zeros[:128<<10]) },
		func() error { return write(n.file, 0, unfinished) },
		func() error { return write(n.file, 0, done) },
	)
}

// toFormat is the device that a mkfs is given.
func (m *Machine) toFormat(c run.Cmd, force bool, path string) (*node, error) {
	n, err := m.device(c, 1, path)
	if err != nil {
		return nil, err
	}
	if m.busy(n) {
		return nil, exit(c, 1, "%s: cannot open %s: Device or resource busy", c.Name, path)
	}
	if !force && len(m.signatures(n.file, n.size)) > 0 {
		return nil, exit(c, 1, "%s: %s appears to contain an existing filesystem.", c.Name, path)
	}
	if n.crypt != nil {
		m.checkHeader(n.crypt.under, 0, n.crypt.name, c.Name)
		n.crypt.pending = true
	}
	return n, nil
}

// mkfsExt4 writes the superblock of ext4, last of all, as mke2fs does.
func (m *Machine) mkfsExt4(c run.Cmd, options map[string]string, words []string) error {
	n, err := m.toFormat(c, has(options, "-F"), words[0])
	if err != nil {
		return err
	}
	b := make([]byte, 4096)
	sb := b[1024:]
	le := binary.LittleEndian
	le.PutUint32(sb[4:], uint32(n.size/4096))
	le.PutUint32(sb[24:], 2) // blocks of 4096 bytes
	le.PutUint16(sb[56:], 0xef53)
	le.PutUint32(sb[96:], 0x40) // extents
	id, _ := hex.DecodeString(strings.ReplaceAll(options["-U"], "-", ""))
	copy(sb[104:], id)
	copy(sb[120:136], options["-L"])
	return m.all(
		func() error { return write(n.file, 0, zeros[:4096]) },
		func() error { return write(n.file, 0, b) },
	)
}

// xfs is the superblock of an XFS file system, version 5.
func xfs(uuid, label string, size int64, unfinished bool) []byte {
	b := make([]byte, 512)
	copy(b, "XFSB")
	binary.BigEndian.PutUint32(b[4:], 4096)
	binary.BigEndian.PutUint64(b[8:], uint64(size/4096))
	id, _ := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	copy(b[32:48], id)
	binary.BigEndian.PutUint16(b[100:], 5)
	binary.BigEndian.PutUint16(b[102:], 512)
	copy(b[108:120], label)
	if unfinished {
		b[126] = 1
	}
	binary.LittleEndian.PutUint32(b[224:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// grow writes the new size into the superblock of a mounted file system.
func (m *Machine) grow(c run.Cmd, n *node) error {
	if n == nil || !m.busy(n) {
		return exit(c, 1, "is not a mounted file system")
	}
	b := get(n.file, 0, 4096)
	if string(b[:4]) != "XFSB" {
		binary.LittleEndian.PutUint32(b[1024+4:], uint32(n.size/4096))
	} else {
		b = b[:512]
		binary.BigEndian.PutUint64(b[8:], uint64(n.size/4096))
		binary.LittleEndian.PutUint32(b[224:], 0)
		binary.LittleEndian.PutUint32(b[224:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	if n.crypt != nil {
		n.crypt.pending = true
	}
	return m.all(func() error { return put(n.file, 0, b) })
}
