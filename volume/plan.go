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
//
// A plain volume (encryption: none) has no header and no token:
//
//	claimed ──► array ──► mapped ──► file system ──► claims ──► mounted
//	   ▲                                 │           removed
//	   └── a crash, every claim there: ──┘              │
//	       begun anew                                   └── a crash, some gone: finished
//
// It is ready when no claim is left and its file system is whole and bears its
// name. That is safe against cuts. All claims are on the devices before anything
// else is written, so as long as one step of the making may be half done, every
// claim is there. The file system is flushed before the first claim is removed,
// so when one is gone, and the file system is there, nothing is half done, and
// what is left to do is to remove the others. Nothing is mounted before all are
// gone, so where one is left there is no data. And the mapping ends before the
// claims' place, so no data ever looks like a claim.
//
// A scratch volume (encryption: ephemeral) is never ready in this sense: what is
// open and whole is mounted, and all else that bears its UUIDs is made anew.
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
	if have.complete() && have.made() {
		return append(steps, have.finish(want)...), nil
	}
	if s := have.uncreatable(want); s != nil {
		return nil, s
	}
	return append(steps, have.create(want)...), nil
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
		if d.Content.Member.RFC() != s.uuid(kindArray) {
			return false
		}
		// Without its claim it is ours if the header in the array says that the
		// set is unfinished, or the array itself that it is scratch.
		return s.claims(d.Claim) && s.Header == nil || s.unfinished() || s.Mode == spec.EncryptionEphemeral
	case KindEncrypted:
		return s.claims(d.Claim) && s.Header == nil || s.unfinished()
	case KindPlain:
		return s.claims(d.Claim)
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
		return s.Token.Intent == luks.Preparing || s.Token.Intent == luks.Scratch && s.Mode == spec.EncryptionEphemeral
	}
	return !slices.ContainsFunc(s.Devices, func(d Device) bool { return !s.claims(d.Claim) })
}
