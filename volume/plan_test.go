package volume

import (
	"errors"
	"strings"
	"testing"

	"bootswain/ebs"
	"bootswain/filesystem"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/plan"
	"bootswain/raid"
	"bootswain/spec"
)

// seen is what Observe says of n blank devices, one of which others change.
func seen(n int) State {
	s := State{Name: "data", Wanted: n}
	for i, id := range volumeIDs(n) {
		name := "nvme" + string(rune('1'+i)) + "n1"
		s.Devices = append(s.Devices, Device{
			Device:  ebs.Device{VolumeID: id, Name: name, Path: "/dev/" + name, Size: 10 << 30},
			Content: Content{Kind: KindNothing, FirstData: AllZero},
		})
	}
	return s
}

// claimedBy marks devices as this set's.
func claimedBy(s State, indices ...int) State {
	for _, i := range indices {
		s.Devices[i].Claim = &claim{Set: s.Name, UUID: s.uuid(kindSet)}
	}
	return s
}

// joined makes the devices members of one array.
func joined(s State, uuid string) State {
	for i := range s.Devices {
		s.Devices[i].Content = Content{Kind: KindMember, Member: &raid.Superblock{UUID: uuid, Name: "bootswain:data", RaidDisks: len(s.Devices), Role: i}}
	}
	return s
}

// running starts the array.
func running(s State) State {
	s.Array = &Array{Kernel: "md127", Path: "/dev/md127", State: "clean", Size: 20 << 30, Disks: s.Wanted}
	for _, d := range s.Devices {
		s.Array.Members = append(s.Array.Members, d.Name)
	}
	return s
}

// headed gives it a header with a token of that intent; "" for none.
func headed(s State, uuid string, intent luks.Intent) State {
	s.Header = &luks.Header{Version: 2, UUID: uuid, Label: "data", Subsystem: luks.Subsystem}
	if !s.striped() {
		s.Devices[0].Content = Content{Kind: KindEncrypted}
	}
	if intent != "" {
		s.Token = &luks.Token{Set: "data", Members: s.Wanted, Volumes: s.ids(), Intent: intent, Sealed: []byte("sealed:one"),
			Purpose: luks.Purpose{Mount: "/srv/data", Type: "xfs"}}
	}
	return s
}

func opened(s State, fs *Filesystem) State {
	s.Mapping = &Mapping{Mapping: luks.Mapping{Kernel: "dm-0", Name: "bootswain-data"}, Size: s.Devices[0].Size - 16<<20, Path: "/dev/dm-0", Number: "253:0"}
	s.Filesystem = fs
	return s
}

func mountedOn(s State, where string) State {
	s.Mounts = []filesystem.Mount{{Number: "253:0", Point: where, Root: "/"}}
	return s
}

// kinds names the steps of a plan by the first word or two of each.
func kinds(p plan.Plan) string {
	var list []string
	for _, s := range p {
		word := map[bool]string{true: "!", false: ""}[len(s.Destroys()) > 0]
		switch s := s.(type) {
		case *unseal:
			word += "unseal"
		case *claimDevice:
			word += "claim " + s.d.VolumeID[len(s.d.VolumeID)-2:]
		case *wipe:
			word += "wipe " + s.d.VolumeID[len(s.d.VolumeID)-2:]
		case *createArray:
			word += "create"
		case *assembleArray:
			word += "assemble"
		case *stopArray:
			word += "stop " + s.md
		case *takeDown:
			word += "take down"
		case *closeMapping:
			word += "close"
		case *formatLUKS:
			word += "format"
		case *addRecovery:
			word += "recovery"
		case *putToken:
			word += "preparing"
		case *open:
			word += "open"
		case *mapPlain:
			word += "map"
		case *growMapping:
			word += "grow"
		case *growFilesystem:
			word += "grow fs"
		case *prefill:
			word += "fill"
		case *makeFilesystem:
			word += "mkfs"
		case *markReady:
			word += "ready"
		case *mount:
			word += "mount"
		}
		list = append(list, word)
	}
	return strings.Join(list, ", ")
}

const makeAnew = "!format, preparing, open, mkfs, ready, mount"

func TestPlanSteps(t *testing.T) {
	own := func(n int) string { return seen(n).uuid(kindArray) }
	head := func(n int) string { return seen(n).uuid(kindHeader) }
	xfs := &Filesystem{Superblock: filesystem.Superblock{Type: "xfs", Size: 10<<30 - 16<<20}}
	restored := "aaaaaaaa:aaaaaaaa:aaaaaaaa:aaaaaaaa"
	stale := running(headed(joined(seen(2), own(2)), head(2), luks.Ready))
	stale.Array, stale.Stale = nil, []string{"md127"}
	broken := running(headed(joined(seen(2), own(2)), head(2), luks.Ready))
	broken.Array.State = "broken"
	orphan := headed(seen(1), head(1), luks.Ready)
	orphan.Orphan, orphan.OrphanLost = &luks.Mapping{Name: "bootswain-data"}, true
	for name, c := range map[string]struct {
		have State
		want string
	}{
		"one blank device": {seen(1), "unseal, !claim 11, " + makeAnew},
		"ready, and nobody knows the volumes": {with(headed(joined(seen(2), own(2)), head(2), luks.Ready), func(s *State) {
			s.Xen, s.Nameless = true, "/dev/xvdf does not say which volume it is"
		}), "assemble, open, mount"},
		"two blank devices":         {seen(2), "unseal, !claim 11, !claim 22, !create, " + makeAnew},
		"cut after one claim":       {claimedBy(seen(2), 0), "unseal, !claim 22, !create, " + makeAnew},
		"cut in mdadm --create":     {claimedBy(halfJoined(seen(2), own(2)), 0, 1), "unseal, !create, " + makeAnew},
		"array without header":      {claimedBy(running(joined(seen(2), own(2))), 0, 1), "unseal, " + makeAnew},
		"the same, after a reboot":  {claimedBy(joined(seen(2), own(2)), 0, 1), "unseal, !create, " + makeAnew},
		"torn header":               {claimedBy(torn(running(joined(seen(2), own(2)))), 0, 1), "unseal, " + makeAnew},
		"torn header on one device": {claimedBy(torn(kind(seen(1), KindEncrypted)), 0), "unseal, " + makeAnew},
		"header without token":      {claimedBy(headed(seen(1), head(1), ""), 0), "unseal, " + makeAnew},
		"preparing, opened":         {claimedBy(opened(headed(seen(1), head(1), luks.Preparing), xfs), 0), "unseal, close, " + makeAnew},
		"preparing, claims gone":    {running(headed(joined(seen(2), own(2)), head(2), luks.Preparing)), "unseal, !claim 11, !claim 22, " + makeAnew},
		"released":                  {foreign(seen(2)), "unseal, !wipe 11, !claim 22, !create, " + makeAnew},
		"ready, after a reboot":     {headed(joined(seen(2), own(2)), head(2), luks.Ready), "assemble, open, mount"},
		"ready, array there":        {running(headed(joined(seen(2), own(2)), head(2), luks.Ready)), "open, mount"},
		"ready, opened":             {opened(headed(seen(1), head(1), luks.Ready), xfs), "mount"},
		"ready, mounted":            {mountedOn(opened(headed(seen(1), head(1), luks.Ready), xfs), "/srv/data"), ""},
		"ready, restored":           {headed(joined(seen(2), restored), "other", luks.Ready), "assemble, open, mount"},
		"ready, with claims":        {claimedBy(headed(joined(seen(2), own(2)), head(2), luks.Ready), 0, 1), "assemble, open, mount"},
		"ready, half started":       {stale, "stop md127, assemble, open, mount"},
		"grown":                     {mountedOn(grown(opened(headed(seen(1), head(1), luks.Ready), xfs)), "/srv/data"), "grow, grow fs"},
		"grown, mapping done":       {mountedOn(enlarged(opened(headed(seen(1), head(1), luks.Ready), xfs)), "/srv/data"), "grow fs"},
		"grown, after a reboot":     {enlarged(opened(headed(seen(1), head(1), luks.Ready), xfs)), "mount, grow fs"},
		"back after a loss":         {broken, "take down"},
		"back after a loss, one":    {orphan, "take down"},
	} {
		t.Run(name, func(t *testing.T) {
			want := wanted(c.have.Wanted)
			want.Wipe = []spec.Wipe{{Volume: volumeIDs(1)[0], Found: "3f9c2d3f9c2d"}}
			p, err := Plan(want, c.have)
			if err != nil || kinds(p) != c.want {
				t.Errorf("plan: %s, %v\nwant: %s", kinds(p), err, c.want)
			}
			again, _ := Plan(want, c.have)
			if again.String() != p.String() {
				t.Errorf("the same state gives another plan:\n%s%s", p, again)
			}
		})
	}
}

// grown gives the device more room than the mapping has.
func grown(s State) State {
	s.Devices[0].Size = 12 << 30
	return s
}

func enlarged(s State) State {
	s.Devices[0].Size, s.Mapping.Size = 12<<30, 12<<30-16<<20
	return s
}

func halfJoined(s State, uuid string) State {
	s.Devices[0].Content = Content{Kind: KindMember, Member: &raid.Superblock{UUID: uuid, Name: "bootswain:data", RaidDisks: 2}}
	return s
}

func torn(s State) State {
	s.HeaderErr = luks.ErrDamaged
	return s
}

func kind(s State, k Kind) State {
	s.Devices[0].Content = Content{Kind: k}
	return s
}

func foreign(s State) State {
	s.Devices[0].Content = Content{Kind: KindForeign, Holds: `ext4 "backup" 5e1f…`, Fingerprint: "3f9c2d3f9c2d"}
	return s
}

func with(s State, change func(*State)) State {
	change(&s)
	return s
}

func TestPlanRefuses(t *testing.T) {
	own, head := seen(2).uuid(kindArray), seen(2).uuid(kindHeader)
	other := "aaaaaaaa:aaaaaaaa:aaaaaaaa:aaaaaaaa"
	ready := func() State { return headed(joined(seen(2), own), head, luks.Ready) }
	blank := func(change func(*State)) State { return with(seen(2), change) }
	first := func(s *State) *Device { return &s.Devices[0] }
	for name, c := range map[string]struct {
		have State
		want string
	}{
		"foreign":           {foreign(seen(2)), "REFUSED data: vol-0a000011 holds ext4 \"backup\" 5e1f…; nothing written.\n  next: correct ebs, or discard it: bootswain apply data --wipe vol-0a000011:3f9c2d3f9c2d"},
		"foreign, one away": {with(foreign(seen(2)), func(s *State) { s.Devices = s.Devices[:1]; s.Missing = []string{"vol-0a000022"} }), "REFUSED data: vol-0a000011 holds ext4"},
		"missing":           {blank(func(s *State) { s.Devices = s.Devices[:1]; s.Missing = []string{"vol-0a000022"} }), "WAITING data: 1 of 2 volumes; vol-0a000022 missing.\n  next: attach vol-0a000022; continues by itself"},
		"missing, and on its way": {blank(func(s *State) {
			s.Devices, s.Missing = s.Devices[:1], []string{"vol-0a000022"}
			s.Absent = map[string]ebs.Place{"vol-0a000022": {Words: "missing 7m (EC2: attached to i-0old, shutting-down)", Moves: true}}
		}), "WAITING data: 1 of 2 volumes; vol-0a000022 missing 7m (EC2: attached to i-0old, shutting-down).\n  next: nothing; continues by itself"},
		"missing, of several": {blank(func(s *State) {
			s.Wanted, s.Missing = 4, []string{"vol-0a000033", "vol-0a000044"}
			s.Absent = map[string]ebs.Place{"vol-0a000044": {Words: "missing (EC2: available)"}}
		}), "WAITING data: 2 of 4 volumes; vol-0a000044 missing (EC2: available); vol-0a000033 missing.\n  next: attach vol-0a000033, vol-0a000044; continues by itself"},
		"nobody knows the volume": {blank(func(s *State) {
			s.Xen, s.Nameless = true, "/dev/xvdf does not say which volume it is, as no disk does on Xen, and EC2 was not asked yet"
		}), "WAITING data: /dev/xvdf does not say which volume it is, as no disk does on Xen, and EC2 was not asked yet; nothing written.\n  next: allow ec2:DescribeVolumes to the instance's role"},
		"nobody knows the missing": {blank(func(s *State) {
			s.Wanted, s.Missing, s.Xen, s.Nameless = 3, []string{"vol-0a000033"}, true, "/dev/xvdf does not say which volume it is, as no disk does on Xen, and EC2 was not asked yet"
		}), "WAITING data: 2 of 3 volumes; vol-0a000033 missing. /dev/xvdf does not say which volume it is, as no disk does on Xen, and EC2 was not asked yet.\n  next: allow ec2:DescribeVolumes to the instance's role"},
		"unreadable":               {blank(func(s *State) { first(s).Content = Content{Kind: KindUnreadable, Fault: "input/output error"} }), "FAILED data: vol-0a000011 (/dev/nvme1n1) cannot be read: input/output error. Nothing written."},
		"ambiguous":                {State{Name: "data", Wanted: 2, Conflict: "vol-0a000011 is two devices at once"}, "REFUSED data: vol-0a000011 is two devices at once; nothing written."},
		"in use":                   {blank(func(s *State) { first(s).InUse = "a file system mounted on /mnt" }), "REFUSED data: vol-0a000011 (/dev/nvme1n1) is in use by a file system mounted on /mnt; nothing written."},
		"read-only":                {blank(func(s *State) { first(s).ReadOnly = true }), "is read-only; nothing written"},
		"unequal":                  {blank(func(s *State) { s.Devices[1].Size++ }), "a new set takes equal sizes; nothing written"},
		"too small":                {blank(func(s *State) { s.Devices[0].Size, s.Devices[1].Size = 1<<20, 1<<20 }), "has 1 MiB, and an xfs volume on 2 devices takes 32 of each; nothing written"},
		"too small for XFS":        {blank(func(s *State) { s.Devices[0].Size, s.Devices[1].Size, s.MinXFS = 159<<20, 159<<20, 300<<20 }), "has 159 MiB, and an xfs volume on 2 devices takes 160 of each; nothing written.\n  next: use larger volumes, or filesystem: {type: ext4}"},
		"not blank":                {blank(func(s *State) { first(s).Content = Content{Kind: KindNothing, FirstData: 512, Fingerprint: "abc"} }), "REFUSED data: vol-0a000011 holds data of no known kind (from byte 512); nothing written.\n  next: correct ebs, or discard it: bootswain apply data --wipe vol-0a000011:abc"},
		"nobody looked":            {blank(func(s *State) { first(s).Content.FirstData = NotLooked }), "was not proven blank; nothing written"},
		"mount point taken":        {blank(func(s *State) { s.Occupied = "/dev/other (ext4)" }), "/srv/data holds another file system, /dev/other (ext4); nothing written"},
		"half a set, others blank": {halfJoined(seen(2), own), "REFUSED data: vol-0a000022 (/dev/nvme2n1) is no member: vol-0a000011 holds device 1 of 2"},
		"two sets":                 {with(joined(seen(2), own), func(s *State) { s.Devices[1].Content.Member.UUID = other }), "belong to different sets \"data\""},
		"a part of a larger": {with(joined(seen(2), own), func(s *State) {
			for i := range s.Devices {
				s.Devices[i].Content.Member.RaidDisks = 4
			}
		}), "is one of 4 devices of the set, and 2 are named"},
		"a copy":                        {with(joined(seen(2), own), func(s *State) { s.Devices[1].Content.Member.Role = 0 }), "both say that they are device 1 of 2, as a volume and its copy do"},
		"header wiped":                  {running(joined(seen(2), own)), "the array on vol-0a000011, vol-0a000022 is complete, but it has no LUKS header; nothing written"},
		"header damaged":                {torn(running(joined(seen(2), own))), "is complete, but no copy of the LUKS header is whole; nothing written"},
		"another's header":              {with(running(headed(joined(seen(2), own), head, "")), func(s *State) { s.HeaderErr = errors.New("the LUKS header on it is of \"\" \"x\", not of this volume") }), "not of this volume; nothing written"},
		"claimed, and another's header": {claimedBy(with(running(headed(joined(seen(2), own), head, "")), func(s *State) { s.HeaderErr = errors.New("not of this volume") }), 0, 1), "not of this volume; nothing written"},
		"unfinished, others":            {headed(joined(seen(2), other), "other", luks.Preparing), "it is unfinished, and was begun with other volumes; nothing written"},
		"newer":                         {with(headed(joined(seen(2), own), head, ""), func(s *State) { s.TokenErr = &luks.NewerError{Version: 2} }), "REFUSED data: its token has version 2 and this bootswain knows up to 1; nothing written.\n  next: launch an image with a newer bootswain"},
		"token damaged":                 {with(headed(joined(seen(2), own), head, ""), func(s *State) { s.TokenErr = errors.New("its token is damaged: x") }), "its token is damaged: x; nothing written"},
		"reencryption":                  {with(ready(), func(s *State) { s.Header.Requirements = []string{"online-reencrypt"} }), "REFUSED data: it is half re-encrypted (its LUKS header asks for online-reencrypt); nothing written.\n  next: cryptsetup reencrypt --resume-only"},
		"unknown requirement":           {with(ready(), func(s *State) { s.Header.Requirements = []string{"opal"} }), "its LUKS header asks for opal, which is not known here; nothing written"},
		"ready, read-only":              {with(ready(), func(s *State) { first(s).ReadOnly = true }), "vol-0a000011 (/dev/nvme1n1) is read-only; nothing written"},
		"ready, written over":           {with(ready(), func(s *State) { s.Over = "ext4" }), "the first copy of its LUKS header is gone, and ext4 stands in its place; nothing written"},
		"another name":                  {with(ready(), func(s *State) { s.Token.Set = "logs" }), "the set on these devices calls itself \"logs\"; nothing written"},
		"token disagrees":               {with(ready(), func(s *State) { s.Token.Members = 3 }), "the set was made of 3 devices, and 2 are named"},
		"no file system":                {opened(running(ready()), nil), "REFUSED data: it was ready once, and now holds no file system; nothing written.\n  next: restore it from a snapshot"},
		"another file system":           {opened(running(ready()), &Filesystem{Superblock: filesystem.Superblock{Type: "ext4"}}), "it was ready once, and now holds ext4 where xfs was made"},
		"broken file system":            {opened(running(ready()), &Filesystem{Fault: "bad checksum"}), "holds a file system that cannot be trusted (bad checksum)"},
		"preparing, mounted":            {mountedOn(opened(running(headed(joined(seen(2), own), head, luks.Preparing)), nil), "/mnt"), "it is mounted on /mnt, and never was ready; nothing written"},
		"token taken away":              {headed(joined(seen(2), own), head, ""), "it has a header of this set without a token; nothing written"},
		"up elsewhere":                  {blank(func(s *State) { s.Orphan = &luks.Mapping{Name: "bootswain-data"} }), "REFUSED data: it is up on other devices (/dev/mapper/bootswain-data); nothing written.\n  next: bootswain down data, or correct ebs"},
		"opened by another":             {with(running(ready()), func(s *State) { s.OtherUser = "luks-1 (dm-3)" }), "it is in use by luks-1 (dm-3); nothing written"},
		"lost": {with(running(ready()), func(s *State) {
			s.Array.Members = s.Array.Members[:1]
			s.Devices = s.Devices[:1]
			s.Missing = []string{"vol-0a000022"}
		}), "FAILED data: vol-0a000022 lost, array broken (1 of 2 devices).\n  next: reattach vol-0a000022"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Plan(wanted(2), c.have)
			s := situation.Of(err)
			if s == nil || len(p) != 0 || !strings.Contains(s.String(), c.want) || s.Next == "" {
				t.Errorf("got %v\nplan %s\nwant %s", err, kinds(p), c.want)
			}
		})
	}
}

// TestNeverWithoutBeingAsked: where launch data does not say create, no plan
// destroys anything, whatever was seen.
func TestNeverWithoutBeingAsked(t *testing.T) {
	want := wanted(2)
	want.Create = spec.CreateNever
	want.Wipe = []spec.Wipe{{Volume: volumeIDs(1)[0], Found: "3f9c2d3f9c2d"}}
	own, head := seen(2).uuid(kindArray), seen(2).uuid(kindHeader)
	for name, have := range map[string]State{
		"blank": seen(2), "claimed": claimedBy(seen(2), 0, 1), "released": foreign(seen(2)),
		"preparing": headed(joined(seen(2), own), head, luks.Preparing), "no token": headed(joined(seen(2), own), head, ""),
	} {
		p, err := Plan(want, have)
		if s := situation.Of(err); s == nil || s.Word != situation.Refused || len(p) > 0 {
			t.Errorf("%s: %v, %s", name, err, kinds(p))
		}
	}
}

func TestUUID(t *testing.T) {
	a := uuid(kindArray, "data", []string{"vol-2", "vol-1"})
	if a != uuid(kindArray, "data", []string{"vol-1", "vol-2"}) {
		t.Error("it depends on the order of the devices")
	}
	for _, b := range []string{uuid(kindHeader, "data", []string{"vol-1", "vol-2"}), uuid(kindArray, "logs", []string{"vol-1", "vol-2"}), uuid(kindArray, "data", []string{"vol-1"})} {
		if a == b {
			t.Error("two things have one UUID")
		}
	}
	if a[14] != '8' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("%s is not version 8 of RFC 9562", a)
	}
	// It stands on disks, so it must never change.
	if want := "4dc2b79b-415c-8d58-b395-6585378ddccb"; a != want {
		t.Errorf("it is %s, and disks say %s", a, want)
	}
}
