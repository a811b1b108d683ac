package raid_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootswain/raid"
	"bootswain/raid/raidtest"
)

const (
	uuid    = "01234567:89ab8def:81234567:89abcdef"
	rfcUUID = "01234567-89ab-8def-8123-456789abcdef"
	size    = 1 << 20 // of the disks made here
)

// disk is a device in memory.
type disk []byte

func (d disk) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(d).ReadAt(p, off) }

func (d disk) WriteAt(p []byte, off int64) (int, error) { return copy(d[off:], p), nil }

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMdadmSuperblocks reads what mdadm wrote; want is what its --examine says.
func TestMdadmSuperblocks(t *testing.T) {
	striped := raid.Superblock{UUID: uuid, Name: "bootswain:x", Layout: 1, RaidDisks: 2, ChunkBytes: 64 << 10}
	for name, tt := range map[string]struct {
		size, offset int64
		want         func(*raid.Superblock)
	}{
		"1.2-role0": {32 << 20, 4096, func(s *raid.Superblock) {
			s.Version, s.Name, s.ChunkBytes, s.DataOffset, s.DataSize = "1.2", "bootswain:data", 256<<10, 1<<20, 31<<20
			s.DeviceUUID = "8bd87d6b:136de455:eba8d6a6:150c14bd"
		}},
		"1.2-role1": {32 << 20, 4096, func(s *raid.Superblock) {
			s.Version, s.Name, s.ChunkBytes, s.DataOffset, s.DataSize = "1.2", "bootswain:data", 256<<10, 1<<20, 31<<20
			s.Role, s.DeviceUUID = 1, "25bc355d:60f4df4c:d50d649b:43053b1b"
		}},
		"1.1-role0": {32 << 20, 0, func(s *raid.Superblock) {
			s.Version, s.DataOffset, s.DataSize, s.DeviceUUID = "1.1", 1<<20, 31<<20, "68fbe0b0:0e26d501:cf573c55:1856cc7c"
		}},
		"1.0-role1": {32 << 20, 65520 * 512, func(s *raid.Superblock) {
			s.Version, s.DataSize, s.Role, s.DeviceUUID = "1.0", 65512*512, 1, "affd8cf2:33a3a676:92f3d588:7bf2a542"
		}},
		"0.90-role1": {400 << 20, 400<<20 - 64<<10, func(s *raid.Superblock) {
			*s = raid.Superblock{Version: "0.90", UUID: uuid, Level: 1, RaidDisks: 2, Role: 1, DataSize: 409536 << 10, Events: 2}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			want := striped
			tt.want(&want)
			got, err := raid.ReadSuperblock(sparse{tt.offset, fixture(t, name), tt.size}, tt.size)
			if err != nil || got == nil || *got != want {
				t.Errorf("ReadSuperblock() = %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

// sparse is a disk of zeros with some bytes at one place.
type sparse struct {
	at   int64
	data []byte
	size int64
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	clear(p)
	if off == s.at {
		copy(p, s.data)
	}
	return len(p), nil
}

func TestRFC(t *testing.T) {
	sb := raid.Superblock{UUID: uuid}
	if got := sb.RFC(); got != rfcUUID {
		t.Errorf("RFC() = %q, want %q", got, rfcUUID)
	}
	for _, not := range []string{"", "0123", uuid + "0", strings.Replace(uuid, "0", "g", 1)} {
		if got := raid.RFC(not); got != "" {
			t.Errorf("RFC(%q) = %q", not, got)
		}
	}
}

func TestNoSuperblock(t *testing.T) {
	for name, d := range map[string]disk{"blank": make(disk, size), "tiny": make(disk, 512), "text": disk(strings.Repeat("no superblock. ", 70000))} {
		if sb, err := raid.ReadSuperblock(d, int64(len(d))); sb != nil || err != nil {
			t.Errorf("%s: ReadSuperblock() = %+v, %v", name, sb, err)
		}
	}
}

func TestEncoded(t *testing.T) {
	want := raid.Superblock{
		Version: "1.2", UUID: uuid, Name: "bootswain:data", RaidDisks: 4, Role: 3, ChunkBytes: 256 << 10,
		DataOffset: 8192, DataSize: size - 8192, DeviceUUID: "00000000:00000000:00000000:00000003", Events: 5,
	}
	for _, role := range []int{0, 3, raid.RoleSpare, raid.RoleFaulty} {
		d := make(disk, size)
		sb := want
		sb.Role = role
		if err := raidtest.WriteSuperblock(d, sb); err != nil {
			t.Fatal(err)
		}
		got, err := raid.ReadSuperblock(d, size)
		if err != nil || got == nil || *got != sb {
			t.Errorf("ReadSuperblock() = %+v, %v\nwant %+v", got, err, sb)
		}
	}
}

func TestDamaged(t *testing.T) {
	le := binary.LittleEndian
	for name, tt := range map[string]struct {
		change func(disk)
		want   string
	}{
		"a bit of the name":   {func(d disk) { d[4096+32] ^= 1 }, "damaged md superblock at byte 4096: checksum is"},
		"a role":              {func(d disk) { d[4096+256] ^= 1 }, "checksum is"},
		"roles without end":   {func(d disk) { le.PutUint32(d[4096+220:], 1<<31) }, "roles"},
		"devices without end": {func(d disk) { le.PutUint32(d[4096+92:], 1<<31); resum(d[4096:]) }, "devices"},
		"moved elsewhere":     {func(d disk) { copy(d[0:4096], d[4096:8192]); clear(d[4096:8192]) }, "at byte 0: it belongs at sector 8"},
	} {
		t.Run(name, func(t *testing.T) {
			d := make(disk, size)
			copy(d[4096:], fixture(t, "1.2-role0"))
			tt.change(d)
			sb, err := raid.ReadSuperblock(d, size)
			if sb != nil || !errors.Is(err, raid.ErrDamaged) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ReadSuperblock() = %+v, %v; want ErrDamaged with %q", sb, err, tt.want)
			}
		})
	}
	newer := make(disk, size)
	copy(newer[4096:], fixture(t, "1.2-role0"))
	le.PutUint32(newer[4096+4:], 2)
	if sb, err := raid.ReadSuperblock(newer, size); sb != nil || !errors.Is(err, raid.ErrNewer) {
		t.Errorf("ReadSuperblock() of another major version = %+v, %v; want ErrNewer", sb, err)
	}
	old := make(disk, size)
	copy(old[size-64<<10:], fixture(t, "0.90-role0"))
	old[size-64<<10+40] ^= 1
	if sb, err := raid.ReadSuperblock(old, size); sb != nil || !errors.Is(err, raid.ErrDamaged) {
		t.Errorf("ReadSuperblock() = %+v, %v; want ErrDamaged", sb, err)
	}
}

type broken struct{ err error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

func TestUnreadable(t *testing.T) {
	eio := errors.New("input/output error")
	if sb, err := raid.ReadSuperblock(broken{eio}, size); sb != nil || !errors.Is(err, eio) {
		t.Errorf("ReadSuperblock() = %+v, %v; want the error of the disk", sb, err)
	}
	sb, err := raid.ReadSuperblock(make(disk, size/2), size)
	if sb != nil || err == nil || !strings.Contains(err.Error(), "device ends before its size") {
		t.Errorf("ReadSuperblock() = %+v, %v; want an error about the size", sb, err)
	}
}

// resum puts the right checksum into a version 1 superblock, so that changes get
// past it.
func resum(b []byte) {
	le := binary.LittleEndian
	roles := int(le.Uint32(b[220:]))
	if le.Uint32(b[4:]) != 1 || roles < 0 || 256+2*roles > min(len(b), 4096) {
		return
	}
	le.PutUint32(b[216:], 0)
	whole := append(slices.Clone(b[:256+2*roles]), 0, 0) // to a multiple of four
	var sum uint64
	for i := 0; i+4 <= len(whole); i += 4 {
		sum += uint64(le.Uint32(whole[i:]))
	}
	le.PutUint32(b[216:], uint32(sum)+uint32(sum>>32))
}

func FuzzSuperblock(f *testing.F) {
	const size = 128 << 10 // small, for many rounds
	offsets := []int64{4096, 0, size - 8192, size - 64<<10}
	for i, name := range []string{"1.2-role0", "1.1-role0", "1.0-role0", "0.90-role0"} {
		f.Add(fixture(f, name), uint8(i))
	}
	f.Fuzz(func(t *testing.T, super []byte, where uint8) {
		d := make(disk, size)
		at := offsets[int(where)%len(offsets)]
		copy(d[at:], super)
		resum(d[at:])
		before := slices.Clone(d)
		sb, err := raid.ReadSuperblock(d, size)
		if sb != nil && err != nil {
			t.Errorf("both %+v and %v", sb, err)
		}
		if sb != nil && (sb.Version == "" || sb.RFC() == "" || sb.DataOffset < 0 || sb.DataSize < 0 || sb.ChunkBytes < 0 || sb.RaidDisks < 0 || sb.RaidDisks > 4096) {
			t.Errorf("superblock is %+v", sb)
		}
		if !bytes.Equal(d, before) {
			t.Error("the disk was written to")
		}
	})
}
