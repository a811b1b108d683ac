// Package raid reads, makes, starts and stops striped arrays (Linux md, level 0).
//
// Superblocks are read from the devices themselves, all versions that Linux
// knows; arrays are made and started by mdadm. Which array a device belongs to
// right now is asked of sysfs, never of udev's links.
//
// The package never decides whether a device may be written to: Create writes
// over what is there, and its caller has proven that nothing is. It never uses
// mdadm's --force. Sizes and offsets are bytes. What mdadm refuses comes back
// with mdadm's own words.
package raid

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Roles that are no place in the array (linux/raid/md_p.h, MD_DISK_ROLE_*).
const (
	RoleSpare  = -1
	RoleFaulty = -2
	RoleOther  = -3 // a journal, or a value the kernel has no meaning for
)

// Superblock is what a member of an array says about the array and itself.
type Superblock struct {
	Version    string // "1.2", "1.1", "1.0" or "0.90"
	UUID       string // of the array, as mdadm prints it: "01234567:89abcdef:01234567:89abcdef"
	Name       string // "host:name"; "" in version 0.90
	Level      int    // 0 for RAID0; negative for linear (-1) and multipath (-4)
	Layout     int    // meaning depends on the level
	RaidDisks  int    // devices that make up the array
	Role       int    // place of this device in the array from 0, or one of the Role constants
	ChunkBytes int64
	DataOffset int64  // where the array's data begins on this device
	DataSize   int64  // bytes of this device that the array can use
	DeviceUUID string // of this device, as mdadm prints it; "" in version 0.90
	Events     uint64 // grows with every change of the array's state
}

// RFC returns the array's UUID in the form of RFC 9562.
func (s *Superblock) RFC() string {
	return RFC(s.UUID)
}

// RFC returns an array's UUID, written either way, in the form of RFC 9562, or
// "" if it is no UUID.
func RFC(uuid string) string {
	b, err := parseUUID(uuid)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// formatUUID writes a UUID as mdadm does.
func formatUUID(b [16]byte) string {
	return fmt.Sprintf("%x:%x:%x:%x", b[:4], b[4:8], b[8:12], b[12:])
}

// separators are what the forms of a UUID differ in.
var separators = strings.NewReplacer(":", "", "-", "")

// parseUUID reads a UUID in mdadm's form or in RFC 9562's.
func parseUUID(s string) (b [16]byte, err error) {
	digits := separators.Replace(s)
	if n, err := hex.Decode(b[:], []byte(digits[:min(len(digits), 32)])); err != nil || n != 16 || len(digits) != 32 {
		return b, fmt.Errorf("%q is not a UUID", s)
	}
	return b, nil
}
