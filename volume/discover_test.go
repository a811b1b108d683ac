package volume

import (
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/spec"
)

func TestDiscover(t *testing.T) {
	logs := wanted(1)
	logs.Name, logs.Mount, logs.EBS = "logs", "/srv/logs", spec.EBS{IDs: volumeIDs(3)[2:]}
	for name, c := range map[string]struct {
		change func(t *testing.T, m *fakehost.Machine)
		found  []string
		word   situation.Word // of what cannot be used; "" for nothing
	}{
		"two sets":        {func(*testing.T, *fakehost.Machine) {}, []string{"data", "logs"}, ""},
		"one without key": {func(_ *testing.T, m *fakehost.Machine) { m.Detach(volumeIDs(3)[2]) }, []string{"data"}, ""},
		"a part":          {func(_ *testing.T, m *fakehost.Machine) { m.Detach(volumeIDs(3)[1]) }, []string{"logs"}, situation.Waiting},
		"a copy": {func(_ *testing.T, m *fakehost.Machine) {
			m.Create(diskSize, "vol-0a000099")
			m.Overwrite(volumeIDs(1)[0], "vol-0a000099")
		}, []string{"logs"}, situation.Refused},
		"a blank one": {func(_ *testing.T, m *fakehost.Machine) { m.Create(diskSize, "vol-0a000099") }, []string{"data", "logs"}, ""},
		"a foreign one": {func(t *testing.T, m *fakehost.Machine) {
			m.Create(diskSize, "vol-0a000099")
			write(t, m, "vol-0a000099", 0, []byte("LUKS\xba\xbe\x00\x01"))
		}, []string{"data", "logs"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(3)...)
			converged(t, m, wanted(2))
			converged(t, m, logs)
			m.Reboot()
			c.change(t, m)
			vs, database, err := Discover(t.Context(), hostOf(m), nil)
			s := situation.Of(err)
			if (s == nil) != (c.word == "") || s != nil && s.Word != c.word {
				t.Errorf("error %v, want %s", err, c.word)
			}
			got := map[string]bool{}
			for _, v := range vs {
				got[v.Name] = true
				if v.Create != spec.CreateNever {
					t.Errorf("%s may be created", v.Name)
				}
			}
			for _, name := range c.found {
				if !got[name] {
					t.Errorf("%s is not found", name)
				}
			}
			if len(vs) != len(c.found) || (database == "data") != got["data"] {
				t.Errorf("found %+v, database %q", vs, database)
			}
		})
	}
}

// TestDiscoverLeavesUnfinished: a set that never was ready is not brought up
// without launch data.
func TestDiscoverLeavesUnfinished(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(2)...)
	m.Missing("mkfs.xfs", true)
	if _, err := Converge(t.Context(), hostOf(m), wanted(2), nil); err == nil {
		t.Fatal("it was made without mkfs.xfs")
	}
	m.Reboot()
	if vs, _, err := Discover(t.Context(), hostOf(m), nil); len(vs) != 0 || err != nil {
		t.Errorf("found %+v, %v", vs, err)
	}
}
