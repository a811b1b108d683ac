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
			found = append(found, signature{Offset: fmt.Sprintf("%#x", at), Type: kind, at: at, bytes: int64(len(magic))})
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
		if err := m.all(func() error { return put(n.file, s.at, make([]byte, s.bytes)) }); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// mkfs writes the superblock of XFS, first as unfinished, and zeros the end of
// the device, as mkfs.xfs does.
func (m *Machine) mkfs(c run.Cmd, options map[string]string, words []string) error {
	n, err := m.device(c, 1, words[0])
	if err != nil {
		return err
	}
	if m.busy(n) {
		return exit(c, 1, "mkfs.xfs: cannot open %s: Device or resource busy", words[0])
	}
	if !has(options, "-f") && len(m.signatures(n.file, n.size)) > 0 {
		return exit(c, 1, "mkfs.xfs: %s appears to contain an existing filesystem (xfs).", words[0])
	}
	if n.crypt != nil {
		m.checkHeader(n.crypt.under, 0, n.crypt.name, "mkfs.xfs")
	}
	id := strings.TrimPrefix(options["-m"], "uuid=")
	unfinished, done := xfs(id, options["-L"], n.size, true), xfs(id, options["-L"], n.size, false)
	return m.all(
		func() error { return put(n.file, n.size-128<<10, make([]byte, 128<<10)) },
		func() error { m.flush(); return put(n.file, 0, unfinished) },
		func() error { return put(n.file, 0, done) },
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
