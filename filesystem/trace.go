package filesystem

import (
	"bytes"
	"io"

	"bootswain/internal/direct"
)

// traces are marks of formats, at the places where they stand (libblkid's
// tables of util-linux; for bcachefs BCACHEFS_SB_MAGIC). wipefs keeps quiet
// about them where a checksum or another field is wrong: damage, or a version
// that it does not know.
var traces = []struct {
	name   string
	offset int64 // from the end if negative
	magic  string
}{
	{"XFS", 0, "XFSB"},
	{"ext2, ext3 or ext4", 1024 + 56, "\x53\xef"},
	{"btrfs", 64<<10 + 64, "_BHRfS_M"},
	{"F2FS", 1024, "\x10\x20\xf5\xf2"},
	{"NILFS2", 1024 + 6, "\x34\x34"},
	{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
	{"bcache or bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
	{"an md array", 4096, "\xfc\x4e\x2b\xa9"},
	{"LVM", 512, "LABELONE"},
	{"LUKS encryption", 0, "LUKS\xba\xbe"},
	{"LUKS encryption", 16 << 10, "SKUL\xba\xbe"},
	{"BitLocker encryption", 3, "-FVE-FS-"},
	{"Ceph BlueStore", 0, "bluestore block device"},
	{"swap space", 4096 - 10, "SWAPSPACE2"},
	{"NTFS", 3, "NTFS    "},
	{"exFAT", 3, "EXFAT   "},
	{"ISO 9660", 32<<10 + 1, "CD001"},
	{"a GPT partition table", 512, "EFI PART"},
	{"a GPT partition table", -512, "EFI PART"},
}

// Trace names a format whose mark stands on a device of the given size, whether
// or not the rest of it is whole; "" if there is none. It is a hint for people
// about a device that holds something that nothing recognises.
func Trace(r io.ReaderAt, size int64) (string, error) {
	head := make([]byte, min(size, 68<<10))
	tail := make([]byte, min(size, direct.Align))
	for at, part := range map[int64][]byte{0: head, size - int64(len(tail)): tail} {
		if n, err := r.ReadAt(part, at); n < len(part) {
			return "", err
		}
	}
	for _, t := range traces {
		part, at := head, t.offset
		if at < 0 {
			part, at = tail, at+int64(len(tail))
		}
		if at >= 0 && at < int64(len(part)) && bytes.HasPrefix(part[at:], []byte(t.magic)) {
			return t.name, nil
		}
	}
	return "", nil
}
