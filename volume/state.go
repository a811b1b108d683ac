package volume

import (
	"slices"

	"bootswain/ebs"
	"bootswain/filesystem"
	"bootswain/luks"
	"bootswain/raid"
	"bootswain/spec"
)

// State is all that was seen of a volume: what Plan decides by and what health
// reports. It holds no secret.
type State struct {
	Name     string
	Mode     spec.EncryptionMode
	Store    bool                 // the devices are instance storage
	Wanted   int                  // how many devices are asked for
	Devices  []Device             // those that are there, in the order asked for
	Missing  []string             // volume ids or device names that are not there
	Absent   map[string]ebs.Place // where the missing ones are, as far as the host was told
	Conflict string               // why the devices asked for are no plain choice; "" if they are
	Nameless string               // why a device did not say who it is; ""
	Xen      bool                 // it is a Xen instance's, whose disks never do

	Array  *Array        // the array on the devices, if one runs; nil for a volume of one device
	Stale  []string      // kernel names of arrays of our devices that did not start
	Orphan *luks.Mapping // a mapping of our name that does not stand on our devices; nil

	OrphanLost bool // what it stands on is gone, or broken

	Header     *luks.Header       // nil where none was found
	HeaderErr  error              // why a header that is there cannot be trusted; nil
	Token      *luks.Token        // ours in Header; nil
	TokenErr   error              // why our token in Header cannot be used; nil
	Mapping    *Mapping           // the opened header; nil
	Over       string             // what stands where the first copy of Header was; ""
	OtherUser  string             // what else stands on the array or device; ""
	NoXFS      bool               // there is no mkfs.xfs, and a file system is to be made
	MinXFS     int64              // the smallest XFS that can be made; 0 where that does not matter
	Filesystem *Filesystem        // on Mapping, or where a plain volume's will show; nil where there is none
	Mounts     []filesystem.Mount // of Filesystem
	Stuck      error              // why it could not grow with its device; nil
	Occupied   string             // what else is mounted on the mount point; ""

	w *work
}

// Device is one EBS volume or disk of instance storage of a set.
type Device struct {
	ebs.Device
	Content Content
	Claim   *claim // mark of a set in the making; nil
	InUse   string // by whom, if not by this set; ""
}

// Kind is what a device holds, as far as it decides what may be done.
type Kind string

// Kinds of content. The zero Kind is a device at which nobody looked.
const (
	KindUnreadable Kind = "unreadable"
	KindNothing    Kind = "nothing"   // no signature; FirstData tells more
	KindMember     Kind = "member"    // of an array with this volume's name
	KindEncrypted  Kind = "encrypted" // of a volume of one device: a LUKS header with this volume's name
	KindPlain      Kind = "plain"     // of a volume of one device that is not encrypted: a file system with this volume's name
	KindForeign    Kind = "foreign"   // anything else
)

// Values of Content.FirstData that are no offsets.
const (
	AllZero   int64 = -1 // every byte was read and is zero
	NotLooked int64 = -2
)

// Content is what is on a device.
type Content struct {
	Kind        Kind
	Member      *raid.Superblock // where there is one, of whatever array
	Holds       string           // of KindForeign: in words, `ext4 "backup" 5e1f…`
	FirstData   int64            // of KindNothing: the first byte that is not zero, or AllZero, or NotLooked
	Fingerprint string           // releases the content; "" where nothing needs to be released
	Fault       string           // of KindUnreadable: why
}

// Array is a running md array on the devices of a volume.
type Array struct {
	Kernel  string   // "md127"
	Path    string   // "/dev/md127"
	State   string   // the kernel's array_state: "clean", "active", "broken", …
	Members []string // kernel names of those that are there
	Disks   int      // how many it takes
	Size    int64
}

// Mapping is the opened header, or the plain volume that is up.
type Mapping struct {
	luks.Mapping
	Size   int64
	Path   string // "/dev/dm-0"
	Number string // "253:0"
}

// Filesystem is what is on an opened volume.
type Filesystem struct {
	filesystem.Superblock
	Fault string // why it cannot be trusted; ""
}

// intact tells whether an array runs with all its members. The kernel calls it
// broken only once it has tried to reach a lost one.
func (a *Array) intact() bool {
	return a != nil && len(a.Members) == a.Disks && a.State != raid.StateBroken && a.State != raid.StateClear && a.State != raid.StateInactive
}

// ids returns the volume ids of the devices that are there.
func (s State) ids() []string {
	ids := make([]string, len(s.Devices))
	for i, d := range s.Devices {
		ids[i] = d.VolumeID
	}
	return ids
}

// Set returns the UUID of the set's header, or without encryption of its file
// system, and the volume ids in the order of their places in the array; "" where
// there is neither, for instance storage, and where nobody knows the ids.
func (s State) Set() (id string, volumes []string) {
	switch {
	case s.Store || s.Xen:
		return "", nil
	case s.Header != nil:
		id = s.Header.UUID
	case s.Filesystem != nil:
		id = s.Filesystem.UUID
	}
	devices := slices.Clone(s.Devices)
	slices.SortStableFunc(devices, func(a, b Device) int { return a.place() - b.place() })
	for _, d := range devices {
		volumes = append(volumes, d.VolumeID)
	}
	return id, volumes
}

// place is the device's place in its array.
func (d Device) place() int {
	if d.Content.Member == nil {
		return 0
	}
	return d.Content.Member.Role
}

// uuid returns the UUID of a part of the set, which is known once all its
// devices are. Of what is made anew with each boot it says no more than that.
func (s State) uuid(kind string) string {
	if s.Mode == spec.EncryptionEphemeral {
		return uuid("scratch "+kind, s.Name, nil)
	}
	return uuid(kind, s.Name, s.ids())
}

// Copied tells whether the volume was made on other EBS volumes than it is on, as
// one restored from snapshots was.
func (s State) Copied() bool {
	return s.Filesystem != nil && s.Filesystem.UUID != s.uuid(kindFilesystem)
}

// again is the same volume, to be looked at once more.
func (s State) again() State {
	return State{Name: s.Name, Mode: s.Mode, Store: s.Store, Wanted: s.Wanted, Devices: slices.Clone(s.Devices), w: s.w}
}

// striped tells whether the volume is an array.
func (s State) striped() bool { return s.Wanted > 1 }

// ready tells whether the volume holds data, so that nothing may be made anew.
func (s State) ready() bool {
	switch s.Mode {
	case spec.EncryptionNone:
		return s.readyPlain()
	case spec.EncryptionEphemeral:
		return s.readyScratch()
	}
	return s.Token != nil && s.Token.Intent == luks.Ready
}

// target returns kernel name and path of what carries the header: the array, or
// the one device. Both are "" while the array does not run.
func (s State) target() (kernel, path string, size int64) {
	switch {
	case s.striped() && s.Array.intact():
		return s.Array.Kernel, s.Array.Path, s.Array.Size
	case !s.striped() && len(s.Devices) == 1:
		return s.Devices[0].Name, s.Devices[0].Path, s.Devices[0].Size
	}
	return "", "", 0
}

// mountedAt tells whether the volume's file system is mounted there, whole.
func (s State) mountedAt(dir string) bool {
	for _, m := range s.Mounts {
		if m.Point == dir && m.Root == "/" {
			return true
		}
	}
	return false
}
