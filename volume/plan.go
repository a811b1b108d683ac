package volume

import (
	"slices"

	"bootswain/luks"
	"bootswain/plan"
	"bootswain/spec"
)

// Plan decides what is to be done so that the volume is as wanted. It is a pure
// function; an empty plan means ready. What must not be done, cannot be done or
// has to wait is a *situation.Situation.
//
//	        ┌────────────── a device is missing ─────────────► WAITING
//	        │ ┌──────────── content that is not ours ────────► REFUSED
//	        │ │             (or: wiped by fingerprint)
//	      devices
//	        │ │ every byte zero, create: if_blank
//	        │ └──► claimed ──► array ──► header ──► token "preparing"
//	        │         ▲                                  │
//	        │         └── a crash: begun anew ──┐        ▼
//	        │                                   ├── opened ──► file system
//	        │                                   │                  │
//	        │ token "ready"                     └──── claims ◄─────┘
//	        │                                        removed
//	        ▼                                            │
//	array ──► opened ──► mounted  ◄───── token "ready" ◄─┘
//	  ▲                     │
//	  └── taken down ◄── a device is lost
//
// From "devices" to the claims' removal everything may be made anew, because
// each device says in its claim, or the header says in its token, that nothing
// on it is wanted. The token "ready" is written once, and from then on nothing
// leads back to the left.
func Plan(want spec.Volume, have State) (plan.Plan, error) {
	if s := have.trouble(want); s != nil {
		return nil, s
	}
	if have.leftover() {
		return plan.Plan{&takeDown{have.at(), have.leftoverWords()}}, nil
	}
	if len(have.Missing) > 0 {
		return nil, have.waiting()
	}
	var steps plan.Plan
	for _, md := range have.Stale {
		steps = append(steps, &stopArray{have.at(), md})
	}
	if have.complete() && have.ready() {
		if s := have.unusable(want); s != nil {
			return nil, s
		}
		return append(steps, have.bringUp(want)...), nil
	}
	if s := have.uncreatable(want); s != nil {
		return nil, s
	}
	return append(steps, have.create(want)...), nil
}

// bringUp starts, opens and mounts a ready set.
func (s State) bringUp(want spec.Volume) plan.Plan {
	var steps plan.Plan
	if s.striped() && s.Array == nil {
		steps = append(steps, &assembleArray{s.at()})
	}
	if s.Mapping == nil {
		steps = append(steps, &open{s.at(), [][]byte{want.Encryption.Sealed, s.Token.Sealed}})
	}
	if !s.mountedAt(want.Mount) {
		steps = append(steps, &mount{s.at(), s.mountSpec(want, s.Token.Purpose.Type)})
	}
	return steps
}

// create makes a new set, or makes an unfinished one anew.
func (s State) create(want spec.Volume) plan.Plan {
	sealed := want.Encryption.Sealed
	steps := plan.Plan{&unseal{s.at(), sealed}}
	if s.Mapping != nil {
		steps = append(steps, &closeMapping{s.at()})
	}
	for _, d := range s.Devices {
		if found, ok := released(want, s, d); ok && !s.mayWrite(d) {
			steps = append(steps, &wipe{s.at(), d, found})
		} else if !s.claims(d.Claim) {
			steps = append(steps, &claimDevice{s.at(), d})
		}
	}
	if s.striped() && s.Array == nil {
		steps = append(steps, &createArray{s.at()})
	}
	token := luks.Token{
		Set: s.Name, Members: s.Wanted, Volumes: s.ids(), Intent: luks.Preparing, Sealed: sealed,
		Purpose: luks.Purpose{Mount: want.Mount, Type: want.Filesystem.Type, Options: want.Filesystem.Options},
	}
	steps = append(steps, &formatLUKS{s.at(), sealed})
	if hasRecovery(want.Encryption) {
		steps = append(steps, &addRecovery{s.at(), sealed, want.Encryption.Recovery})
	}
	return append(steps,
		&putToken{s.at(), token, hasRecovery(want.Encryption)},
		&open{s.at(), [][]byte{sealed}},
		&makeFilesystem{s.at()},
		&markReady{s.at(), token},
		&mount{s.at(), s.mountSpec(want, want.Filesystem.Type)},
	)
}

func (s State) mountSpec(want spec.Volume, kind string) MountSpec {
	return MountSpec{
		What: "/dev/mapper/" + mappingName(s.Name), Where: want.Mount, Type: kind,
		Options: want.Filesystem.Options, Required: want.Required,
	}
}

// complete tells whether all devices of one set are there.
func (s State) complete() bool { return !s.striped() || s.members() == nil }

// leftover tells whether something of our name is up that no longer stands on
// the devices: what remains of a lost device once it, or another, is back.
func (s State) leftover() bool {
	return s.Orphan != nil || s.Array != nil && !s.Array.intact()
}

func (s State) leftoverWords() string {
	if s.Orphan != nil {
		return "mapping " + s.Orphan.Name
	}
	return "array " + s.Array.Kernel + " (" + s.Array.State + ")"
}

// released returns the fingerprint by which a person released the device's
// content: the one it has, or the one under which wiping it was begun.
func released(want spec.Volume, s State, d Device) (string, bool) {
	for _, w := range want.Wipe {
		if w.Volume != d.VolumeID || w.Found == "" {
			continue
		}
		if w.Found == d.Content.Fingerprint || s.claims(d.Claim) && d.Claim.Released == w.Found {
			return w.Found, true
		}
	}
	return "", false
}

// mayWrite tells whether a device may be written over without anybody's word:
// proven blank, or claimed by this very set with nothing but its own unfinished
// work on it.
func (s State) mayWrite(d Device) bool {
	switch d.Content.Kind {
	case KindNothing:
		return d.Content.FirstData == AllZero || s.claims(d.Claim)
	case KindMember:
		// Without its claim it is ours if the header in the array says that the
		// set is unfinished.
		return d.Content.Member.RFC() == s.uuid(kindArray) && (s.claims(d.Claim) && s.Header == nil || s.unfinished())
	case KindEncrypted:
		return s.claims(d.Claim) && s.Header == nil || s.unfinished()
	}
	return false
}

// unfinished tells whether the header is that of this very set and never was
// ready: its token says preparing, or it has none yet and every device says so
// in its claim. A header that lost its token some other way is not unfinished.
func (s State) unfinished() bool {
	if s.Header == nil || s.HeaderErr != nil || s.TokenErr != nil || s.Header.UUID != s.uuid(kindHeader) {
		return false
	}
	if s.Token != nil {
		return s.Token.Intent == luks.Preparing
	}
	return !slices.ContainsFunc(s.Devices, func(d Device) bool { return !s.claims(d.Claim) })
}
