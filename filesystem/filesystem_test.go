package filesystem

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testUUID = "01234567-89ab-8def-8123-456789abcdef"

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

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one with %q", err, want)
	}
}

func TestReadSuperblock(t *testing.T) {
	for name, want := range map[string]Superblock{
		"xfs":  {Type: "xfs", UUID: testUUID, Label: "data", Size: 400 << 20},
		"xfs4": {Type: "xfs", UUID: testUUID, Label: "old", Size: 320 << 20},
		"ext2": {Type: "ext2", UUID: testUUID, Label: "backup", Size: 16 << 20},
		"ext3": {Type: "ext3", UUID: testUUID, Label: "backup", Size: 16 << 20},
		"ext4": {Type: "ext4", UUID: testUUID, Label: "backup", Size: 16 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadSuperblock(bytes.NewReader(fixture(t, name)))
			if err != nil || got == nil || *got != want {
				t.Errorf("ReadSuperblock() = %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestNoSuperblock(t *testing.T) {
	for _, disk := range []string{"", "XFSB", strings.Repeat("\x00", 4096), strings.Repeat("nothing ", 1000)} {
		if sb, err := ReadSuperblock(strings.NewReader(disk)); sb != nil || err != nil {
			t.Errorf("ReadSuperblock() of %d bytes = %+v, %v", len(disk), sb, err)
		}
	}
}

// resum makes the checksum of an XFS superblock fit again.
func resum(disk []byte) {
	sector := disk[:512]
	clear(sector[224:228])
	binary.LittleEndian.PutUint32(sector[224:], crc32.Checksum(sector, crc32.MakeTable(crc32.Castagnoli)))
}

func TestUnfinishedXFS(t *testing.T) {
	disk := fixture(t, "xfs")
	disk[126] = 1
	resum(disk)
	if sb, err := ReadSuperblock(bytes.NewReader(disk)); err != nil || sb == nil || !sb.Unfinished {
		t.Errorf("ReadSuperblock() = %+v, %v", sb, err)
	}
}

func TestDamagedSuperblock(t *testing.T) {
	for name, tt := range map[string]struct {
		from   string
		change func([]byte)
		want   string
	}{
		"XFS, a bit of the label": {"xfs", func(d []byte) { d[108] ^= 1 }, "XFS with a wrong checksum"},
		"XFS, block size":         {"xfs", func(d []byte) { d[7] = 3 }, "XFS of 102400 blocks of 4099 bytes"},
		"XFS, sector size":        {"xfs", func(d []byte) { d[102], d[103] = 0, 0 }, "XFS with sectors of 0 bytes"},
		"XFS, endless":            {"xfs4", func(d []byte) { d[8] = 0xff }, "XFS of"},
		"ext, block size":         {"ext4", func(d []byte) { d[1024+24] = 63 }, "ext of 16384 blocks of 2^(10+63) bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := fixture(t, tt.from)
			tt.change(disk)
			sb, err := ReadSuperblock(bytes.NewReader(disk))
			if sb != nil || !errors.Is(err, ErrDamaged) {
				t.Errorf("ReadSuperblock() = %+v, %v; want ErrDamaged", sb, err)
			}
			wantError(t, err, tt.want)
		})
	}
}

type unreadable struct{ error }

func (u unreadable) ReadAt([]byte, int64) (int, error) { return 0, u.error }

func TestUnreadableSuperblock(t *testing.T) {
	eio := errors.New("input/output error")
	if sb, err := ReadSuperblock(unreadable{eio}); sb != nil || !errors.Is(err, eio) {
		t.Errorf("ReadSuperblock() = %+v, %v; want the error of the disk", sb, err)
	}
}

func FuzzSuperblock(f *testing.F) {
	for _, name := range []string{"xfs", "xfs4", "ext2", "ext4"} {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, disk []byte) {
		sb, err := ReadSuperblock(bytes.NewReader(disk))
		if sb != nil && err != nil {
			t.Errorf("both %+v and %v", sb, err)
		}
		if sb != nil && (sb.Type == "" || len(sb.UUID) != 36 || sb.Size < 0) {
			t.Errorf("superblock is %+v", sb)
		}
		if name, err := Trace(bytes.NewReader(disk), int64(len(disk))); name != "" && err != nil {
			t.Errorf("both %q and %v", name, err)
		}
	})
}
