package filesystem

import "slices"

// known are words for libblkid's names (libblkid/src/superblocks and
// libblkid/src/partitions of util-linux) where people say something else.
var known = map[string]string{
	"BitLocker":         "BitLocker encryption",
	"LVM1_member":       "LVM physical volume",
	"LVM2_member":       "LVM physical volume",
	"ceph_bluestore":    "Ceph BlueStore",
	"crypto_LUKS":       "LUKS encryption",
	"dos":               "MBR partition table",
	"drbd":              "DRBD",
	"gpt":               "GPT partition table",
	"iso9660":           "ISO 9660",
	"linux_raid_member": "md array member",
	"swap":              "swap space",
	"swsuspend":         "hibernated memory",
	"vfat":              "FAT",
	"zfs_member":        "ZFS pool member",
}

// words is how people call what has this signature.
func (s Signature) words() string {
	if text := known[s.Type]; text != "" {
		return text
	}
	return s.Type
}

// Apart returns the signatures without those that belong to another one's
// format: the boot sector of NTFS, exFAT and BitLocker ends like that of a
// partition table, and before a GPT there stands an empty MBR.
func Apart(signatures []Signature) []Signature {
	has := func(types ...string) bool {
		return slices.ContainsFunc(signatures, func(s Signature) bool { return slices.Contains(types, s.Type) })
	}
	return slices.DeleteFunc(slices.Clone(signatures), func(s Signature) bool {
		return s.Type == "dos" && has("ntfs", "exfat", "BitLocker") || s.Type == "PMBR" && has("gpt")
	})
}
