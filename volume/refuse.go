package volume

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"bootswain/filesystem"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/spec"
)

// trouble finds what forbids going on whatever is planned.
func (s State) trouble(want spec.Volume) *situation.Situation {
	if s.Conflict != "" {
		return s.refused("fix "+s.source()+" so that every device is named once", "%s; nothing written", s.Conflict)
	}
	if len(s.Missing) > 0 && s.leftover() {
		return s.lost()
	}
	if s.Orphan != nil && !s.OrphanLost {
		return s.refused("bootswain down "+s.Name+", or correct ebs", "it is up on other devices (/dev/mapper/%s); nothing written", s.Orphan.Name)
	}
	for _, d := range s.Devices {
		switch {
		case d.Content.Kind == KindUnreadable:
			return s.failed(nil, "replace or re-attach "+d.VolumeID+"; tried again by itself",
				"%s cannot be read: %s. Nothing written", name(d.Device), d.Content.Fault)
		case d.InUse != "":
			return s.inUse(d)
		case d.Content.Kind == KindForeign:
			if _, ok := released(want, s, d); !ok {
				return s.holds(d, d.Content.Holds)
			}
		}
	}
	if s := s.outgrown(); s != nil {
		return s
	}
	if s.OtherUser != "" {
		return s.refused("close it", "it is in use by %s; nothing written", s.OtherUser)
	}
	return nil
}

// inUse is a device that somebody else uses. Of instance storage that is most
// often cloud-init, which mounts it on /mnt unasked.
func (s State) inUse(d Device) *situation.Situation {
	next := "stop what uses it, or correct ebs"
	if s.Store {
		next = "stop what uses it; of cloud-init's own mount: umount it, and give cloud-init mounts: [[ephemeral0, null]]"
	}
	return s.refused(next, "%s is in use by %s; nothing written", name(d.Device), d.InUse)
}

// waiting is a volume whose devices are not all there.
func (s State) waiting() *situation.Situation {
	if s.Store {
		return s.waitingForStore()
	}
	text := fmt.Sprintf("%d of %d volumes; %s.", len(s.Devices), s.Wanted, s.whereMissing())
	if s.Nameless != "" {
		text += " " + s.Nameless + "."
	}
	next := "nothing"
	if s.Xen && len(s.Absent) == 0 {
		next = sayWhich
	} else if still := slices.DeleteFunc(slices.Clone(s.Missing), func(m string) bool { return s.Absent[m].Moves }); len(still) > 0 {
		next = "attach " + strings.Join(still, ", ")
	}
	return &situation.Situation{Word: situation.Waiting, Subject: s.Name, Text: text, Next: next + "; continues by itself"}
}

// sayWhich is what helps where EC2 alone knows which volume a disk is.
const sayWhich = "allow ec2:DescribeVolumes to the instance's role, with a way to EC2's endpoint; or launch an instance type of the Nitro system"

// whereMissing names the missing devices, each with what is known of it.
func (s State) whereMissing() string {
	var parts, unknown []string
	for _, m := range s.Missing {
		if where := s.Absent[m].Words; where != "" {
			parts = append(parts, m+" "+where)
		} else {
			unknown = append(unknown, m)
		}
	}
	if len(unknown) > 0 {
		parts = append(parts, strings.Join(unknown, ", ")+" missing")
	}
	return strings.Join(parts, "; ")
}

// lost is a volume that was up and lost devices.
func (s State) lost() *situation.Situation {
	what := "mapping " + mappingName(s.Name) + " stands on nothing"
	if s.Array != nil {
		what = fmt.Sprintf("array broken (%d of %d devices)", len(s.Array.Members), s.Array.Disks)
	}
	gone := strings.Join(s.Missing, ", ")
	return s.failed(nil, "reattach "+gone+"; if it is gone for good, restore from a snapshot", "%s lost, %s", gone, what)
}

// unusable finds what keeps a ready set from being brought up.
func (s State) unusable(want spec.Volume) *situation.Situation {
	if s.Mode == spec.EncryptionSealed {
		if r := s.unusableHeader(want); r != nil {
			return r
		}
	}
	if s.Mapping == nil && s.readOnly() != nil {
		return s.readOnly()
	}
	if s.Occupied != "" {
		return s.refused("unmount it, or mount the volume elsewhere", "%s holds another file system, %s; not mounted", want.Mount, s.Occupied)
	}
	return s.inPlace(want)
}

// inPlace is a volume that is mounted where other launch data wanted it.
func (s State) inPlace(want spec.Volume) *situation.Situation {
	i := slices.IndexFunc(s.Mounts, func(m filesystem.Mount) bool { return m.Root == "/" })
	if i < 0 || s.mountedAt(want.Mount) {
		return nil
	}
	return &situation.Situation{Word: situation.Waiting, Subject: s.Name,
		Text: fmt.Sprintf("it is mounted on %s, and is to be on %s; what may be in use stays where it is.", s.Mounts[i].Point, want.Mount),
		Next: fmt.Sprintf("bootswain down %s, and bootswain up %[1]s; or reboot", s.Name)}
}

// unusableHeader finds it in the header, or behind it where that is open.
func (s State) unusableHeader(want spec.Volume) *situation.Situation {
	switch t := s.Token; {
	case len(s.Header.Requirements) > 0:
		return s.unfinishedElsewhere()
	case s.Over != "":
		return s.refused("restore its LUKS header from a backup, or the volume from a snapshot", "the first copy of its LUKS header is gone, and %s stands in its place; nothing written", s.Over)
	case t.Set != s.Name:
		return s.refused("name the volume "+t.Set+", or correct ebs", "the set on these devices calls itself %q; nothing written", t.Set)
	case t.Members != s.Wanted:
		return s.refused("name all its devices", "the set was made of %d devices, and %d are named; nothing written", t.Members, s.Wanted)
	case len(want.Encryption.Sealed) == 0 && len(t.Sealed) == 0:
		return s.locked("give volumes."+s.Name+".encryption", "neither the launch data nor the volume itself has its key")
	case s.Mapping != nil && s.Filesystem == nil:
		return s.noFilesystem("no file system")
	case s.Mapping != nil && s.Filesystem.Fault != "":
		return s.noFilesystem("a file system that cannot be trusted (" + s.Filesystem.Fault + ")")
	case s.Mapping != nil && s.Filesystem.Type != t.Purpose.Type:
		return s.noFilesystem(s.Filesystem.Type + " where " + t.Purpose.Type + " was made")
	}
	return nil
}

// noFilesystem is a set that was ready and lost what was on it.
func (s State) noFilesystem(what string) *situation.Situation {
	return s.refused("restore it from a snapshot", "it was ready once, and now holds %s; nothing written", what)
}

// maxSetName is what an array's superblock has room for beside the homehost.
const maxSetName = 32 - len(homehost) - 1

// uncreatable finds what keeps a set from being made. Every device is there and
// none is foreign, unless released.
func (s State) uncreatable(want spec.Volume) *situation.Situation {
	if s.Xen {
		return &situation.Situation{Word: situation.Waiting, Subject: s.Name, Text: s.Nameless + "; nothing written.", Next: sayWhich + "; continues by itself"}
	}
	if r := s.wasSomething(want); r != nil {
		return r
	}
	if want.Create != spec.CreateIfBlank && s.Mode != spec.EncryptionEphemeral {
		return s.refused("set volumes."+s.Name+".create: if_blank, or correct ebs", "%s, and nobody said that one may be made; nothing written", s.noSet())
	}
	if len(s.Name) > maxSetName {
		return s.refused("give it a shorter name", "its name has %d bytes, and an array's has room for %d; nothing written", len(s.Name), maxSetName)
	}
	if r := s.readOnly(); r != nil {
		return r
	}
	for _, d := range s.Devices {
		if first := s.Devices[0]; d.Size != first.Size {
			return s.refused("use volumes of equal size", "%s has %d bytes and %s %d, and a new set takes equal sizes; nothing written",
				name(first.Device), first.Size, name(d.Device), d.Size)
		}
	}
	if r := s.tooSmall(want); r != nil {
		return r
	}
	if !s.hasKey(want) {
		return s.locked("bootswain seal or key new, and give it as volumes."+s.Name+".encryption", "it is new, and the launch data names no key for it")
	}
	if s.Occupied != "" {
		return s.refused("unmount it, or mount the volume elsewhere", "%s holds another file system, %s; nothing written", want.Mount, s.Occupied)
	}
	for _, d := range s.Devices {
		if d.Content.Kind == KindNothing && d.Content.FirstData == NotLooked && !s.mayWrite(d) {
			return s.refused("nothing; it is looked at again by itself", "%s was not proven blank; nothing written", name(d.Device))
		}
	}
	return nil
}

// hasKey tells whether there is, or need be, a key for what is made.
func (s State) hasKey(want spec.Volume) bool {
	return len(want.Encryption.Sealed) > 0 || s.Mode != spec.EncryptionSealed
}

func (s State) noSet() string {
	if s.Header != nil || s.complete() && s.striped() {
		return "it holds an unfinished set"
	}
	return strings.Join(s.ids(), ", ") + " hold no file system"
}

// wasSomething finds devices that may hold something that somebody wants.
func (s State) wasSomething(want spec.Volume) *situation.Situation {
	if newer, ok := errors.AsType[*luks.NewerError](s.TokenErr); ok {
		return s.refused("launch an image with a newer bootswain", "%v; nothing written", newer)
	}
	if s.TokenErr != nil {
		return s.refused("restore its LUKS header, or a snapshot", "%v; nothing written", s.TokenErr)
	}
	if len(s.Mounts) > 0 {
		return s.refused("unmount it", "it is mounted on %s, and never was ready; nothing written", s.Mounts[0].Point)
	}
	for _, d := range s.Devices {
		if _, ok := released(want, s, d); ok || s.mayWrite(d) {
			continue
		}
		switch d.Content.Kind {
		case KindNothing:
			if d.Content.FirstData >= 0 {
				return s.holds(d, d.Content.words())
			}
		case KindMember:
			return s.memberHolds(d)
		case KindPlain:
			return s.plainHolds(d)
		case KindEncrypted:
			if s.Header != nil && s.Header.UUID == s.uuid(kindHeader) {
				return s.holds(d, "a LUKS header of this set without a token")
			}
			return s.holds(d, "an unfinished set that is not this one")
		default:
			return s.holds(d, d.Content.Holds)
		}
	}
	return nil
}

// memberHolds is a member of an array of this name that may hold data.
func (s State) memberHolds(d Device) *situation.Situation {
	if err := s.members(); err != nil {
		var have []string
		for _, d := range s.Devices {
			have = append(have, d.VolumeID+" holds "+d.Content.words())
		}
		return s.refused("attach and name exactly the devices of one set", "%v: %s; nothing written", err, strings.Join(have, ", "))
	}
	why := "it has no LUKS header"
	switch {
	case s.Mode == spec.EncryptionNone:
		why = s.notPlain()
	case s.HeaderErr != nil:
		why = s.HeaderErr.Error()
	case s.Header != nil && s.Header.UUID == s.uuid(kindHeader):
		why = "it has a header of this set without a token"
	case s.Header != nil:
		why = "it is unfinished, and was begun with other volumes"
	}
	return s.refusedFor(d, "the array on %s is complete, but %s; nothing written", strings.Join(s.ids(), ", "), why)
}
