// Package raidtest writes md superblocks as mdadm would, so that tests have
// members of arrays without a kernel. It is for tests only.
package raidtest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"bootswain/raid"
)

const sector = 512

// WriteSuperblock writes a valid version 1.2 superblock (struct
// mdp_superblock_1 of linux/raid/md_p.h) to a member. UUIDs may be in either
// form; a DeviceUUID of "" becomes the role's number.
func WriteSuperblock(w io.WriterAt, sb raid.Superblock) error {
	return WriteSuperblockAt(w, 4096, sb)
}

// WriteSuperblockAt does the same at another place: byte 0 makes it version
// 1.1, a place near the end version 1.0.
func WriteSuperblockAt(w io.WriterAt, offset int64, sb raid.Superblock) error {
	roles := (max(sb.RaidDisks+1, 128) + 1) &^ 1 // mdadm lists at least 128
	buf := make([]byte, 256+2*roles)
	le := binary.LittleEndian
	le.PutUint32(buf[0:], 0xa92b4efc)
	le.PutUint32(buf[4:], 1)
	if err := putUUID(buf[16:32], sb.UUID); err != nil {
		return err
	}
	copy(buf[32:64], sb.Name)
	le.PutUint32(buf[72:], uint32(int32(sb.Level)))
	le.PutUint32(buf[76:], uint32(int32(sb.Layout)))
	if sb.Level > 0 {
		le.PutUint64(buf[80:], uint64(sb.DataSize/sector))
	}
	le.PutUint32(buf[88:], uint32(sb.ChunkBytes/sector))
	le.PutUint32(buf[92:], uint32(sb.RaidDisks))
	le.PutUint64(buf[128:], uint64(sb.DataOffset/sector))
	le.PutUint64(buf[136:], uint64(sb.DataSize/sector))
	le.PutUint64(buf[144:], uint64(offset/sector))
	device := sb.DeviceUUID
	if device == "" {
		device = fmt.Sprintf("%032x", uint16(sb.Role))
	}
	if err := putUUID(buf[168:184], device); err != nil {
		return err
	}
	le.PutUint64(buf[200:], sb.Events)
	le.PutUint64(buf[208:], ^uint64(0)) // in sync to the end
	le.PutUint32(buf[220:], uint32(roles))
	putRoles(buf, sb)
	le.PutUint32(buf[216:], sum(buf))
	_, err := w.WriteAt(buf, offset)
	return err
}

// putRoles numbers the devices as their roles; a device without a role comes
// after those that have one.
func putRoles(buf []byte, sb raid.Superblock) {
	le := binary.LittleEndian
	for i := 256; i < len(buf); i += 2 {
		n := (i - 256) / 2
		if n >= sb.RaidDisks {
			n = 0xffff
		}
		le.PutUint16(buf[i:], uint16(n))
	}
	number := sb.Role
	if number < 0 {
		number = sb.RaidDisks
	}
	le.PutUint32(buf[160:], uint32(number))
	if sb.Role == raid.RoleFaulty {
		le.PutUint16(buf[256+2*number:], 0xfffe)
	}
}

func putUUID(to []byte, s string) error {
	b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(s))
	if err != nil || len(b) != len(to) {
		return fmt.Errorf("%q is not a UUID", s)
	}
	copy(to, b)
	return nil
}

// sum is calc_sb_1_csum of the kernel's drivers/md/md.c over a buffer whose own
// checksum is still zero and whose length is a multiple of four.
func sum(buf []byte) uint32 {
	var s uint64
	for i := 0; i < len(buf); i += 4 {
		s += uint64(binary.LittleEndian.Uint32(buf[i:]))
	}
	return uint32(s) + uint32(s>>32)
}
