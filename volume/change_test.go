package volume

import (
	"regexp"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// devicePaths are the model machine's own, in the words for people.
var devicePaths = regexp.MustCompile(` \(/[^)]*\)`)

// TestChangedLaunchData has a volume that is up, or was before a reboot, wanted in
// another way. What is on it stays.
func TestChangedLaunchData(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(v *spec.Volume)
		up, reboot string // the sentence; "" where it is taken
	}{
		"another set":     {func(v *spec.Volume) { v.EBS.IDs = volumeIDs(4)[2:] }, "it is up on other devices", ""},
		"one more":        {func(v *spec.Volume) { v.EBS.IDs = volumeIDs(3) }, "nothing written", "vol-0a000011 is one of 2 devices of the set, and 3 are named"},
		"one less":        {func(v *spec.Volume) { v.EBS.IDs = volumeIDs(1) }, "it is up on other devices", "vol-0a000011 holds device 1 of 2 of array"},
		"no encryption":   {func(v *spec.Volume) { v.Encryption = spec.Encryption{Mode: spec.EncryptionNone} }, "it is up on other devices", "it has a LUKS header, and the launch data says encryption: none"},
		"another type":    {func(v *spec.Volume) { v.Filesystem.Type = "ext4" }, "", ""},
		"another mount":   {func(v *spec.Volume) { v.Mount = "/srv/other" }, "it is mounted on /srv/data, and is to be on /srv/other", ""},
		"other options":   {func(v *spec.Volume) { v.Filesystem.Options = nil }, "", ""},
		"nothing created": {func(v *spec.Volume) { v.Create = spec.CreateNever }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(4)...)
			converged(t, m, wanted(2))
			m.Store("/srv/data", "kept")
			want := wanted(2)
			c.change(&want)
			check := func(when, text string) {
				_, err := Converge(t.Context(), hostOf(m), want, nil)
				s := situation.Of(err)
				if text == "" && err != nil || text != "" && (s == nil || s.Next == "" || !strings.Contains(devicePaths.ReplaceAllString(s.Text, ""), text)) {
					t.Errorf("%s: %v, want %q", when, err, text)
				}
			}
			check("up", c.up)
			m.Reboot()
			check("after a reboot", c.reboot)
			m.Reboot()
			converged(t, m, wanted(2))
			if got := m.Load("/srv/data"); got != "kept" {
				t.Errorf("the row is %q", got)
			}
		})
	}
}
