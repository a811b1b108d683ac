package agent

import (
	"strings"
	"testing"

	"bootswain/filesystem"
	"bootswain/spec"
	"bootswain/volume"
)

func TestUnchanged(t *testing.T) {
	was := spec.Volume{Name: "data", Mount: "/srv/data", Filesystem: spec.Filesystem{Options: []string{"noatime"}}, Encryption: spec.Encryption{Sealed: []byte("a"), Recovery: "age1a"}}
	with := func(change func(*spec.Volume)) spec.Volume {
		v := was
		change(&v)
		return v
	}
	for name, c := range map[string]struct {
		now  spec.Volume
		want string
	}{
		"nothing":           {was, ""},
		"options":           {with(func(v *spec.Volume) { v.Filesystem.Options = nil }), "mount options hold from the next mount on: bootswain down data and bootswain up data, or a reboot"},
		"key":               {with(func(v *spec.Volume) { v.Encryption.Sealed = []byte("b") }), "its key stays the one that it was made with, and the launch data's is tried first when it is opened: bootswain key rotate data"},
		"key left out":      {with(func(v *spec.Volume) { v.Encryption.Sealed = nil }), ""},
		"recovery":          {with(func(v *spec.Volume) { v.Encryption.Recovery = "age1b" }), "its recovery key stays as it is: bootswain key rotate data --recovery"},
		"recovery left out": {with(func(v *spec.Volume) { v.Encryption.Recovery = "" }), ""},
		"scratch":           {with(func(v *spec.Volume) { v.Encryption = spec.Encryption{Mode: spec.EncryptionEphemeral} }), ""},
	} {
		if got := strings.Join(unchanged(was, c.now), "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestOtherType(t *testing.T) {
	xfs := volume.State{Filesystem: &volume.Filesystem{Superblock: filesystem.Superblock{Type: "xfs"}}}
	asks := func(kind string) spec.Volume { return spec.Volume{Filesystem: spec.Filesystem{Type: kind}} }
	if got := otherType(asks("ext4"), xfs); got != "Its file system stays xfs; type: ext4 is for new ones." {
		t.Error(got)
	}
	for _, got := range []string{otherType(asks("xfs"), xfs), otherType(asks(""), xfs), otherType(asks("ext4"), volume.State{})} {
		if got != "" {
			t.Error(got)
		}
	}
}
