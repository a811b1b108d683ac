package volume

import (
	"errors"
	"fmt"
	"strings"

	"bootswain/internal/run"
	"bootswain/internal/situation"
)

// holds refuses a device for what is on it, and says how to discard that.
func (s State) holds(d Device, what string) *situation.Situation {
	return s.refusedFor(d, "%s holds %s; nothing written", d.VolumeID, what)
}

func (s State) refusedFor(d Device, format string, args ...any) *situation.Situation {
	next := "correct " + s.source()
	if d.Content.Fingerprint != "" {
		next += fmt.Sprintf(", or discard it: bootswain apply %s --wipe %s:%s", s.Name, d.VolumeID, d.Content.Fingerprint)
	}
	return s.refused(next, format, args...)
}

// source is the part of the launch data that says which devices these are.
func (s State) source() string {
	if s.Store {
		return "instance_store"
	}
	return "ebs"
}

func (s State) refused(next, format string, args ...any) *situation.Situation {
	return &situation.Situation{Word: situation.Refused, Subject: s.Name, Text: fmt.Sprintf(format, args...) + ".", Next: next}
}

func (s State) locked(next, format string, args ...any) *situation.Situation {
	return &situation.Situation{Word: situation.Locked, Subject: s.Name, Text: fmt.Sprintf(format, args...) + ". Nothing written.", Next: next}
}

func (s State) failed(cause error, next, format string, args ...any) *situation.Situation {
	return &situation.Situation{Word: situation.Failed, Subject: s.Name, Text: fmt.Sprintf(format, args...) + ".", Next: next, Cause: cause}
}

// packages names what to install where a program is missing.
var packages = map[string]string{
	"mdadm": "mdadm", "cryptsetup": "cryptsetup-bin", "dmsetup": "dmsetup", "mkfs.xfs": "xfsprogs", "xfs_growfs": "xfsprogs", "mkfs.ext4": "e2fsprogs", "resize2fs": "e2fsprogs", "wipefs": "util-linux", "umount": "util-linux",
}

// explain turns an error into the sentence that people read. Situations keep
// their words and get the volume's name.
func explain(volume, doing string, err error) error {
	if s := situation.Of(err); s != nil {
		named := *s
		named.Subject = volume
		return &named
	}
	text := strings.TrimSuffix(err.Error(), ".")
	if !strings.HasPrefix(text, "cannot ") { // most say themselves what they cannot do
		text = "cannot " + doing + ": " + text
	}
	s := &situation.Situation{Word: situation.Failed, Subject: volume, Text: text + ".", Cause: err, Next: "tried again by itself"}
	if missing, ok := errors.AsType[*run.MissingError](err); ok {
		s.Text = fmt.Sprintf("%s is not installed; cannot %s.", missing.Name, doing)
		s.Next = "install " + packages[missing.Name]
	}
	return s
}
