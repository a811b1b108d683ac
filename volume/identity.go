package volume

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"bootswain/luks"
)

// homehost is the first half of the name in our arrays' superblocks.
const homehost = "bootswain"

// mappingName returns the name of a volume's device-mapper device.
func mappingName(volume string) string { return luks.Subsystem + "-" + volume }

// volumeOf returns the volume that a mapping of that name belongs to, or "".
func volumeOf(mapping string) string {
	name, ours := strings.CutPrefix(mapping, luks.Subsystem+"-")
	if !ours {
		return ""
	}
	return name
}

// setOf returns the volume that an array of that name belongs to, or "".
func setOf(array string) string {
	host, name, _ := strings.Cut(array, ":")
	if host != homehost {
		return ""
	}
	return name
}

// The parts of a set that have a UUID of their own.
const (
	kindArray      = "md"
	kindHeader     = "luks"
	kindFilesystem = "xfs"
	kindSet        = "set"
)

// uuid returns the UUID that a part of a set made of these EBS volumes has, in
// the form of RFC 9562, version 8: bytes of a SHA-256 over what the set is. The
// same wish gives the same UUID on every machine and at every try, so a set
// that is half made is recognised as this one by whatever of it is there.
func uuid(kind, volume string, ids []string) string {
	ids = slices.Sorted(slices.Values(ids))
	sum := sha256.Sum256([]byte(strings.Join(append([]string{"bootswain", kind, volume}, ids...), "\x00")))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
