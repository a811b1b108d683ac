// Package filesystem tells what is on a block device and makes file systems.
//
// It reads superblocks itself, asks wipefs for every signature it knows, reads
// whole devices to prove that they hold nothing, has mkfs make what is asked for
// and makes it larger, and tells who uses a mounted one. It never decides that a
// device may be written to: MakeXFS and MakeExt4 write over what is there, and
// their caller has proven that nothing is. A device that
// cannot be read is an error everywhere, never a blank device. Sizes and offsets
// are bytes.
package filesystem

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// Superblock is what a file system says about itself.
type Superblock struct {
	Type       string // "xfs", "ext2", "ext3" or "ext4"
	UUID       string // RFC 9562
	Label      string
	Size       int64 // bytes that the file system takes up
	Unfinished bool  // XFS: mkfs was cut off before its end; the kernel will not mount it
}

// ErrDamaged is in the chain of errors about a superblock that is there and
// cannot be trusted. Such a device is anything but blank.
var ErrDamaged = errors.New("damaged superblock")

// ReadSuperblock reads the XFS or ext2, ext3 or ext4 superblock at the beginning
// of a device. It returns nil and no error if there is neither, which does not
// mean that the device is blank, and ErrDamaged in the chain if there is one
// that cannot be.
func ReadSuperblock(r io.ReaderAt) (*Superblock, error) {
	buf := make([]byte, 4096) // XFS's lies at 0, ext's at 1024
	n, err := r.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot read the superblock: %w", err)
	}
	buf = buf[:n]
	switch {
	case len(buf) >= 512 && string(buf[:4]) == "XFSB":
		return parseXFS(r, buf)
	case len(buf) >= 2048 && binary.LittleEndian.Uint16(buf[1024+56:]) == 0xef53:
		return parseExt(buf[1024:2048])
	}
	return nil, nil
}

// parseXFS reads struct xfs_dsb (kernel, fs/xfs/libxfs/xfs_format.h; big endian).
func parseXFS(r io.ReaderAt, buf []byte) (*Superblock, error) {
	be := binary.BigEndian
	block, blocks := int64(be.Uint32(buf[4:])), be.Uint64(buf[8:])
	sector, version := int(be.Uint16(buf[102:])), be.Uint16(buf[100:])&0xf
	if block < 512 || block > 64<<10 || block&(block-1) != 0 || blocks > 1<<46 {
		return nil, fmt.Errorf("%w: XFS of %d blocks of %d bytes", ErrDamaged, blocks, block)
	}
	if sector < 512 || sector > 32<<10 || sector&(sector-1) != 0 {
		return nil, fmt.Errorf("%w: XFS with sectors of %d bytes", ErrDamaged, sector)
	}
	if version >= 5 { // older versions have no checksum
		whole := make([]byte, sector)
		if _, err := r.ReadAt(whole, 0); err != nil {
			return nil, fmt.Errorf("cannot read the superblock: %w", err)
		}
		if !sumFits(whole) {
			return nil, fmt.Errorf("%w: XFS with a wrong checksum", ErrDamaged)
		}
	}
	return &Superblock{
		Type:       "xfs",
		UUID:       formatUUID(buf[32:48]),
		Label:      text(buf[108:120]),
		Size:       int64(blocks) * block,
		Unfinished: buf[126] != 0, // sb_inprogress
	}, nil
}

// sumFits checks sb_crc: CRC-32C, little endian, over the sector with the
// checksum itself counted as zero.
func sumFits(sector []byte) bool {
	const at = 224
	want := binary.LittleEndian.Uint32(sector[at:])
	clear(sector[at : at+4])
	return crc32.Checksum(sector, crc32.MakeTable(crc32.Castagnoli)) == want
}

// Features by which ext2, ext3 and ext4 differ (kernel, fs/ext4/ext4.h; the same
// rule as in util-linux, libblkid/src/superblocks/ext.c).
const (
	hasJournal     = 0x4              // compatible
	ext3Incompat   = 0x2 | 0x4 | 0x10 // filetype, recover, meta_bg
	ext3ROCompat   = 0x1 | 0x2 | 0x4  // sparse_super, large_file, btree_dir
	incompat64Bit  = 0x80
	maxLogBlock    = 6 // blocks of 64 KiB
	extBlocksLimit = 1 << 46
)

// parseExt reads struct ext4_super_block (kernel, fs/ext4/ext4.h).
func parseExt(buf []byte) (*Superblock, error) {
	le := binary.LittleEndian
	compat, incompat, roCompat := le.Uint32(buf[92:]), le.Uint32(buf[96:]), le.Uint32(buf[100:])
	logBlock, blocks := le.Uint32(buf[24:]), uint64(le.Uint32(buf[4:]))
	if incompat&incompat64Bit != 0 {
		blocks |= uint64(le.Uint32(buf[336:])) << 32
	}
	if logBlock > maxLogBlock || blocks > extBlocksLimit {
		return nil, fmt.Errorf("%w: ext of %d blocks of 2^(10+%d) bytes", ErrDamaged, blocks, logBlock)
	}
	sb := &Superblock{
		Type:  "ext2",
		UUID:  formatUUID(buf[104:120]),
		Label: text(buf[120:136]),
		Size:  int64(blocks) << (10 + logBlock),
	}
	switch {
	case incompat&^ext3Incompat != 0 || roCompat&^ext3ROCompat != 0:
		sb.Type = "ext4"
	case compat&hasJournal != 0:
		sb.Type = "ext3"
	}
	return sb, nil
}

// formatUUID writes 16 bytes in the form of RFC 9562.
func formatUUID(b []byte) string {
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// text returns a string that is padded with NUL.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
