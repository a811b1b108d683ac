package agent

import (
	"bytes"
	"fmt"
	"slices"

	"bootswain/filesystem"
	"bootswain/launch"
	"bootswain/spec"
	"bootswain/volume"
)

// unchanged says what of changed launch data a volume that is up does not take
// on, and what would make it. Where it is mounted, what it is made of and whether
// it is encrypted the volume says itself.
func unchanged(old, now spec.Volume) (lines []string) {
	again := fmt.Sprintf("bootswain down %s and bootswain up %[1]s, or a reboot", now.Name)
	if !slices.Equal(old.Filesystem.Options, now.Filesystem.Options) {
		lines = append(lines, "mount options hold from the next mount on: "+again)
	}
	if old.Encryption.Mode != spec.EncryptionSealed || now.Encryption.Mode != spec.EncryptionSealed {
		return lines
	}
	if len(now.Encryption.Sealed) > 0 && !bytes.Equal(old.Encryption.Sealed, now.Encryption.Sealed) {
		lines = append(lines, fmt.Sprintf("its key stays the one that it was made with, and the launch data's is tried first when it is opened: bootswain key rotate %s", now.Name))
	}
	if now.Encryption.Recovery != "" && old.Encryption.Recovery != now.Encryption.Recovery {
		lines = append(lines, fmt.Sprintf("its recovery key stays as it is: bootswain key rotate %s --recovery", now.Name))
	}
	return lines
}

// otherType says that a file system is of another type than the launch data asks
// for, or returns "".
func otherType(want spec.Volume, have volume.State) string {
	if have.Filesystem == nil || want.Filesystem.Type == "" || have.Filesystem.Type == want.Filesystem.Type {
		return ""
	}
	return fmt.Sprintf("Its file system stays %s; type: %s is for new ones.", have.Filesystem.Type, want.Filesystem.Type)
}

// sayUnchanged tells a person what new launch data will not change on volumes
// that are up.
func (a *Agent) sayUnchanged(asked orders) {
	kept, err := launch.Load(launchFile)
	if err != nil {
		return // there was none before
	}
	before := read(kept)
	for _, now := range asked.spec.Volumes {
		old, err := before.volume(now.Name)
		if err != nil {
			continue
		}
		if on, err := filesystem.MountedAt(a.storage.Proc, old.Mount); err != nil || len(on) == 0 {
			continue
		}
		for _, line := range unchanged(old, now) {
			a.say("%s: %s", now.Name, line)
		}
	}
}
