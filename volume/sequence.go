package volume

import (
	"bootswain/luks"
	"bootswain/plan"
	"bootswain/secret"
	"bootswain/spec"
)

// bringUp starts, opens, mounts and grows a ready set.
func (s State) bringUp(want spec.Volume) plan.Plan {
	steps, kind := s.open(want), ""
	if s.Mode == spec.EncryptionSealed {
		kind = s.Token.Purpose.Type
	} else {
		kind = s.Filesystem.Type
	}
	if !s.mountedAt(want.Mount) {
		steps = append(steps, &mount{s.at(), s.mountSpec(want, kind)})
	}
	mapping, fs := s.grown()
	if mapping {
		steps = append(steps, &growMapping{s.opening(want)})
	}
	if fs {
		steps = append(steps, &growFilesystem{s.at(), kind, want.Mount})
	}
	return steps
}

// open starts the array and opens what is on it.
func (s State) open(want spec.Volume) plan.Plan {
	var steps plan.Plan
	if s.striped() && s.Array == nil {
		steps = append(steps, &assembleArray{s.at()})
	}
	switch {
	case s.Mapping != nil:
	case s.Mode == spec.EncryptionNone:
		steps = append(steps, &mapPlain{s.at()})
	default:
		opening := s.opening(want)
		steps = append(steps, &opening)
	}
	return steps
}

// opening opens a ready set by the launch data's key or its own.
func (s State) opening(want spec.Volume) open {
	o := open{at: s.at(), given: secret.Sources(want.Encryption.Sealed)}
	if s.Token != nil {
		o.own = secret.Sources(s.Token.Sealed)
	}
	return o
}

// finish removes the claims that are left on a plain set.
func (s State) finish(want spec.Volume) plan.Plan {
	return append(s.open(want),
		&markReady{at: s.at()},
		&mount{s.at(), s.mountSpec(want, s.Filesystem.Type)},
	)
}

// create makes a new set, or makes an unfinished one anew.
func (s State) create(want spec.Volume) plan.Plan {
	var steps plan.Plan
	// The first source alone: a volume whose only key is the fallback's would
	// need that for ever.
	sealed, kind := secret.Sources(want.Encryption.Sealed)[0], s.kindOf(want)
	if s.Mode == spec.EncryptionSealed {
		steps = append(steps, &unseal{s.at(), sealed})
	}
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
		Set: s.Name, Members: s.Wanted, Volumes: s.ids(), Intent: luks.Preparing, Sealed: want.Encryption.Sealed,
		Purpose: luks.Purpose{Mount: want.Mount, Type: kind, Options: want.Filesystem.Options},
	}
	if s.Mode == spec.EncryptionEphemeral {
		token.Intent = luks.Scratch
	}
	if s.Mode == spec.EncryptionNone {
		steps = append(steps, &mapPlain{s.at()})
	} else {
		steps = append(steps, &formatLUKS{s.at(), sealed})
		if hasRecovery(want.Encryption) {
			steps = append(steps, &addRecovery{s.at(), sealed, want.Encryption.Recovery})
		}
		steps = append(steps, &putToken{s.at(), token, hasRecovery(want.Encryption)}, &open{at: s.at(), given: [][]byte{sealed}})
	}
	if want.Prefill {
		steps = append(steps, &prefill{s.at()})
	}
	return append(steps,
		&makeFilesystem{s.at(), kind},
		&markReady{s.at(), token},
		&mount{s.at(), s.mountSpec(want, kind)},
	)
}

// kindOf is the type of the file system to be made.
func (s State) kindOf(want spec.Volume) string {
	switch {
	case want.Filesystem.Type != "":
		return want.Filesystem.Type
	case s.NoXFS:
		return "ext4"
	}
	return "xfs"
}

func (s State) mountSpec(want spec.Volume, kind string) MountSpec {
	return MountSpec{
		What: "/dev/mapper/" + mappingName(s.Name), Where: want.Mount, Type: kind,
		Options: want.Filesystem.Options, Required: want.Required,
	}
}
