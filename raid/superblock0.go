package raid

import (
	"encoding/binary"
	"fmt"
)

// maxDisks0 is MD_SB_DISKS of linux/raid/md_p.h.
const maxDisks0 = 27

// parse0 reads struct mdp_superblock_s, version 0.90, as little-endian machines
// write it. Version 1 at the same place is not its business.
func parse0(buf []byte, offset int64) (*Superblock, error) {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(buf[4*i:]) }
	if word(1) != 0 {
		return nil, nil
	}
	if want, got := fold(sum0(buf)), fold(word(38)); want != got {
		return nil, fmt.Errorf("checksum is %04x, not %04x", got, want)
	}
	if disks := word(10); disks > maxDisks0 {
		return nil, fmt.Errorf("it speaks of %d devices", disks)
	}
	sb := &Superblock{
		UUID:       fmt.Sprintf("%08x:%08x:%08x:%08x", word(5), word(13), word(14), word(15)),
		Level:      int(int32(word(7))),
		Layout:     int(int32(word(64))),
		RaidDisks:  int(word(10)),
		Role:       RoleSpare,
		ChunkBytes: int64(word(65)),
		DataSize:   offset,
		Events:     uint64(word(40))<<32 | uint64(word(39)),
	}
	const thisDisk, active, faulty = 992, 1 << 1, 1 << 0
	switch state := word(thisDisk + 4); {
	case state&faulty != 0:
		sb.Role = RoleFaulty
	case state&active != 0:
		sb.Role = int(word(thisDisk + 3))
	}
	return sb, nil
}

// sum0 is calc_sb_csum of drivers/md/md.c.
func sum0(buf []byte) uint32 {
	var sum uint64
	for i := 0; i < superBytes; i += 4 {
		if i != 4*38 {
			sum += uint64(binary.LittleEndian.Uint32(buf[i:]))
		}
	}
	return uint32(sum) + uint32(sum>>32)
}

// fold is md_csum_fold of drivers/md/md.c: kernels before 2.6 folded the
// checksum differently, and only the folded values compare.
func fold(sum uint32) uint32 {
	sum = sum&0xffff + sum>>16
	return sum&0xffff + sum>>16
}
