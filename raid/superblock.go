package raid

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Places and marks of superblocks (linux/raid/md_p.h; for the places of version
// 1: super_1_load in the kernel's drivers/md/md.c).
const (
	magic       = 0xa92b4efc
	superBytes  = 4096
	fixedBytes  = 256                              // a version 1 superblock before its list of roles
	maxRoles    = (superBytes - fixedBytes) / 2    // two bytes each
	sectorBytes = 512                              // unit of all sizes in version 1
	maxSectors  = int64(1<<63-1) / sectorBytes / 2 // far beyond any disk; keeps products inside int64
)

// ErrDamaged is in the chain of errors about a superblock that is there and
// cannot be trusted. Such a device is anything but blank.
var ErrDamaged = errors.New("damaged md superblock")

// ErrNewer is in the chain of errors about a superblock of a major version that
// is neither 0 nor 1.
var ErrNewer = errors.New("md superblock of a version that this bootswain does not know")

// ReadSuperblock reads the superblock on a device of the given size, at each
// place where a version keeps it: 1.2, 1.1, 1.0, 0.90 in this order. It returns
// nil and no error if there is none at any, ErrDamaged in the chain if one has the
// mark and a wrong checksum or impossible content, and ErrNewer if one has a
// version that nobody knew when this was written.
func ReadSuperblock(r io.ReaderAt, size int64) (*Superblock, error) {
	places := []struct {
		version string
		offset  int64
		parse   func([]byte, int64) (*Superblock, error)
	}{
		{"1.2", 4096, parse1},
		{"1.1", 0, parse1},
		{"1.0", (size/sectorBytes - 16) &^ 7 * sectorBytes, parse1},
		{"0.90", size&^(64<<10-1) - 64<<10, parse0},
	}
	for _, p := range places {
		if p.offset < 0 || p.offset+superBytes > size {
			continue
		}
		buf := make([]byte, superBytes)
		if _, err := r.ReadAt(buf, p.offset); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("cannot read at byte %d: %w", p.offset, err)
		} else if err != nil {
			return nil, fmt.Errorf("cannot read at byte %d: device ends before its size of %d bytes", p.offset, size)
		}
		if binary.LittleEndian.Uint32(buf) != magic {
			continue
		}
		sb, err := p.parse(buf, p.offset)
		if errors.Is(err, ErrNewer) {
			return nil, fmt.Errorf("%w, at byte %d", err, p.offset)
		}
		if err != nil {
			return nil, fmt.Errorf("%w at byte %d: %w", ErrDamaged, p.offset, err)
		}
		if sb != nil {
			sb.Version = p.version
			return sb, nil
		}
	}
	return nil, nil
}

// parse1 reads struct mdp_superblock_1 found at the given offset. It returns
// nil for a superblock of another major version at the same place.
func parse1(buf []byte, offset int64) (*Superblock, error) {
	le := binary.LittleEndian
	if major := le.Uint32(buf[4:]); major == 0 {
		return nil, nil
	} else if major != 1 {
		return nil, fmt.Errorf("%w (%d)", ErrNewer, major)
	}
	roles := int(le.Uint32(buf[220:]))
	if roles < 0 || roles > maxRoles {
		return nil, fmt.Errorf("it lists %d roles", roles)
	}
	if disks := le.Uint32(buf[92:]); disks > maxRoles {
		return nil, fmt.Errorf("it speaks of %d devices", disks)
	}
	if want, got := sum1(buf, roles), le.Uint32(buf[216:]); want != got {
		return nil, fmt.Errorf("checksum is %08x, not %08x", got, want)
	}
	if own := le.Uint64(buf[144:]); own != uint64(offset/sectorBytes) {
		return nil, fmt.Errorf("it belongs at sector %d", own)
	}
	sb := &Superblock{
		UUID:       formatUUID([16]byte(buf[16:32])),
		Name:       text(buf[32:64]),
		Level:      int(int32(le.Uint32(buf[72:]))),
		Layout:     int(int32(le.Uint32(buf[76:]))),
		RaidDisks:  int(le.Uint32(buf[92:])),
		Role:       RoleSpare,
		ChunkBytes: int64(le.Uint32(buf[88:])) * sectorBytes,
		DeviceUUID: formatUUID([16]byte(buf[168:184])),
		Events:     le.Uint64(buf[200:]),
	}
	for _, f := range []struct {
		to   *int64
		from int
	}{{&sb.DataOffset, 128}, {&sb.DataSize, 136}} {
		n := le.Uint64(buf[f.from:])
		if n > uint64(maxSectors) {
			return nil, fmt.Errorf("it speaks of %d sectors", n)
		}
		*f.to = int64(n) * sectorBytes
	}
	if dev := le.Uint32(buf[160:]); dev < uint32(roles) {
		sb.Role = role(le.Uint16(buf[fixedBytes+2*dev:]))
	}
	return sb, nil
}

// role turns an entry of the list of roles into a place in the array.
func role(n uint16) int {
	switch {
	case n == 0xffff:
		return RoleSpare
	case n == 0xfffe:
		return RoleFaulty
	case n > 0xff00:
		return RoleOther
	}
	return int(n)
}

// sum1 is calc_sb_1_csum of drivers/md/md.c: the little-endian words up to the
// end of the roles, the checksum itself counted as zero, folded once.
func sum1(buf []byte, roles int) uint32 {
	b := buf[:fixedBytes+2*roles]
	var sum uint64
	for i := 0; i+4 <= len(b); i += 4 {
		if i != 216 {
			sum += uint64(binary.LittleEndian.Uint32(b[i:]))
		}
	}
	if len(b)%4 == 2 {
		sum += uint64(binary.LittleEndian.Uint16(b[len(b)-2:]))
	}
	return uint32(sum) + uint32(sum>>32)
}

// text returns a string that is padded with NUL.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
