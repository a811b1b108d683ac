package volume

import (
	"fmt"

	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/spec"
)

// A scratch volume, encryption: ephemeral, is made of the machine's own disks.
// Its key is made up when it is made and known to the kernel alone, so a mapping
// that is closed, by a reboot or a crash, was its end. Its UUIDs say of what
// they stand on that it is this machine's scratch: the next boot makes it anew.

// chooseStore takes the instance storage that is there.
func (w *work) chooseStore(s *State, want spec.Volume) error {
	all, err := w.host.EBS.InstanceStore()
	if err != nil {
		return err
	}
	for _, d := range all {
		s.Devices = append(s.Devices, Device{Device: d})
	}
	s.Wanted = max(want.InstanceStore, len(all), 1)
	for n := len(all); n < s.Wanted; n++ {
		s.Missing = append(s.Missing, "a disk of instance storage")
	}
	if n := want.InstanceStore; n != spec.AllInstanceStore && len(all) > n {
		s.Conflict = fmt.Sprintf("this machine has %d disks of instance storage, and instance_store says %d", len(all), n)
	}
	return nil
}

// readyScratch: it is open, and what is on it was finished.
func (s State) readyScratch() bool {
	if s.Mapping == nil || s.Token == nil || s.Token.Intent != luks.Scratch || s.Filesystem == nil || s.Filesystem.Fault != "" {
		return false
	}
	for _, d := range s.Devices {
		if s.claims(d.Claim) {
			return false
		}
	}
	return s.Filesystem.UUID == s.uuid(kindFilesystem)
}

// waitingForStore is a machine that shows less instance storage than asked for.
func (s State) waitingForStore() *situation.Situation {
	return &situation.Situation{Word: situation.Waiting, Subject: s.Name,
		Text: fmt.Sprintf("this machine shows %d of %d disks of instance storage.", len(s.Devices), s.Wanted),
		Next: "launch an instance type that has them; a late disk is taken by itself"}
}

// outgrown is scratch that was made before all of the machine's disks were seen.
func (s State) outgrown() *situation.Situation {
	if s.Mode != spec.EncryptionEphemeral || s.Array == nil || s.Array.Disks == s.Wanted {
		return nil
	}
	return s.refused(fmt.Sprintf("bootswain down %s, and bootswain up %[1]s, which begins it anew on all of them", s.Name),
		"it is up on %d of %d disks of instance storage; nothing written", s.Array.Disks, s.Wanted)
}
