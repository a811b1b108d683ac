package volume

import (
	"fmt"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// wantedPlain asks for a volume that is not encrypted.
func wantedPlain(n int) spec.Volume {
	v := wanted(n)
	v.Encryption = spec.Encryption{Mode: spec.EncryptionNone}
	return v
}

func TestPlainLife(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		for _, kind := range []string{"xfs", "ext4"} {
			t.Run(fmt.Sprint(n, kind), func(t *testing.T) {
				m := fakehost.New(t)
				m.Create(diskSize, volumeIDs(n)...)
				want := wantedPlain(n)
				want.Filesystem.Type = kind
				p := planned(t, m, want)
				if !strings.Contains(p.String(), "not encrypted") || !strings.Contains(p.String(), "make an "+map[string]string{"xfs": "XFS", "ext4": "ext4"}[kind]) {
					t.Errorf("the plan does not say it:\n%s", p)
				}
				converged(t, m, want)
				m.Store("/srv/data", "a row")
				for range 2 {
					if got := m.String(); got != tree(n) {
						t.Fatalf("it is\n%s\nwant\n%s", got, tree(n))
					}
					m.Reboot()
					s := converged(t, m, want)
					if got := m.Load("/srv/data"); got != "a row" || s.Filesystem.Type != kind {
						t.Fatalf("the row is %q, on %s", got, s.Filesystem.Type)
					}
				}
				if err := Down(t.Context(), hostOf(m), "data", nil); err != nil || strings.Contains(m.String(), "bootswain") {
					t.Errorf("down: %v\n%s", err, m)
				}
			})
		}
	}
}

// TestPlainCut cuts the power at every step of the first boot of a plain volume,
// and at a second one of the boot after it.
func TestPlainCut(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at++ {
				m := fakehost.New(t)
				m.Create(diskSize, volumeIDs(n)...)
				boot := func(at int) bool {
					m.CutAfter(at)
					_, err := Converge(t.Context(), hostOf(m), wantedPlain(n), nil)
					if err != nil && !m.WasCut() {
						t.Fatalf("cut at %d: %v\n%v", at, err, m.Commands)
					}
					sound(t, m)
					m.Reboot()
					return err != nil
				}
				if !boot(at) {
					if at < 10 {
						t.Fatalf("first boot has only %d steps", at)
					}
					return
				}
				boot(1 + at%7)
				converged(t, m, wantedPlain(n))
				m.Store("/srv/data", "row")
				m.Reboot()
				if s := converged(t, m, wantedPlain(n)); m.Load("/srv/data") != "row" || s.Devices[0].Claim != nil {
					t.Fatalf("cut at %d: the row is %q", at, m.Load("/srv/data"))
				}
			}
		})
	}
}

// TestPlainClaims: what is left of the claims decides whether a plain volume is
// begun anew, finished, mounted or refused.
func TestPlainClaims(t *testing.T) {
	own := claim{Set: "data", UUID: uuid(kindSet, "data", volumeIDs(2))}
	other := claim{Set: "data", UUID: uuid(kindSet, "data", volumeIDs(1))}
	for name, c := range map[string]struct {
		claims [2]*claim
		steps  string // of the plan; "" for a refusal
	}{
		"none":       {[2]*claim{}, "assemble, map, mount"},
		"one":        {[2]*claim{nil, &own}, "assemble, map, ready, mount"},
		"both":       {[2]*claim{&own, &own}, "!create, map, mkfs, ready, mount"},
		"another's":  {[2]*claim{nil, &other}, ""},
		"and ours":   {[2]*claim{&own, &other}, ""},
		"all others": {[2]*claim{&other, &other}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(2)...)
			converged(t, m, wantedPlain(2))
			m.Store("/srv/data", "row")
			m.Reboot()
			for i, c := range c.claims {
				if c != nil {
					write(t, m, volumeIDs(2)[i], claimAt(diskSize), c.encode())
				}
			}
			s, err := Observe(t.Context(), hostOf(m), wantedPlain(2))
			if err != nil {
				t.Fatal(err)
			}
			p, err := Plan(wantedPlain(2), s)
			if c.steps == "" {
				says(t, err, situation.Refused, "it is unfinished, and was begun with other volumes; nothing written")
			} else if err != nil || kinds(p) != c.steps {
				t.Errorf("plan: %s, %v\nwant: %s", kinds(p), err, c.steps)
			}
		})
	}
}

// TestPlainAndEncrypted: what is on the disks is not made over because the launch
// data has come to say the other thing.
func TestPlainAndEncrypted(t *testing.T) {
	for n, words := range map[int][2]string{
		1: {"holds an encrypted volume of this name", "holds a volume of this name that is not encrypted"},
		2: {"it has a LUKS header, and the launch data says encryption: none", "it has no LUKS header"},
	} {
		for i, wants := range [2][2]spec.Volume{{wanted(n), wantedPlain(n)}, {wantedPlain(n), wanted(n)}} {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(n)...)
			converged(t, m, wants[0])
			m.Reboot()
			before := sums(t, m, volumeIDs(n)...)
			_, err := Converge(t.Context(), hostOf(m), wants[1], nil)
			says(t, err, situation.Refused, words[i])
			for id, sum := range sums(t, m, volumeIDs(n)...) {
				if before[id] != sum {
					t.Errorf("%s has changed", id)
				}
			}
		}
	}
}

// TestPlainNeverCoversClaim: nothing that is stored on a plain volume can stand
// where a claim would.
func TestPlainNeverCoversClaim(t *testing.T) {
	for _, n := range []int{1, 2} {
		m := fakehost.New(t)
		m.Create(diskSize, volumeIDs(n)...)
		s := converged(t, m, wantedPlain(n))
		size, err := s.w.size(s.Mapping.Kernel)
		if err != nil {
			t.Fatal(err)
		}
		end := size
		if n > 1 {
			end = s.Devices[0].Content.Member.DataOffset + size/int64(n)
		}
		if end > claimAt(diskSize) || end < claimAt(diskSize)-1<<20 {
			t.Errorf("on %d devices it ends at byte %d of each, and the claim begins at %d", n, end, claimAt(diskSize))
		}
	}
}

// TestPlainGrownUnfinished: the claim of an unfinished volume whose device has
// grown stands where its end was, and still counts.
func TestPlainGrownUnfinished(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	converged(t, m, wantedPlain(1))
	m.Reboot()
	write(t, m, volumeIDs(1)[0], claimAt(diskSize), claim{Set: "data", UUID: uuid(kindSet, "data", volumeIDs(1))}.encode())
	m.Enlarge(volumeIDs(1)[0], 2*diskSize)
	s, err := Observe(t.Context(), hostOf(m), wantedPlain(1))
	if err != nil || s.ready() || s.Devices[0].Claim == nil {
		t.Errorf("ready: %v, claim %v, %v", s.ready(), s.Devices[0].Claim, err)
	}
}

// TestWithoutXFS: where there is no mkfs.xfs, and nobody asked for XFS, it is
// ext4, and the plan says why.
func TestWithoutXFS(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	m.Missing("mkfs.xfs", true)
	want := wanted(1)
	want.Filesystem.Type = ""
	if p := planned(t, m, want); !strings.Contains(p.String(), "make an ext4 file system for data, since mkfs.xfs is not installed") {
		t.Errorf("the plan is\n%s", p)
	}
	if s := converged(t, m, want); s.Filesystem.Type != "ext4" || s.Token.Purpose.Type != "ext4" {
		t.Errorf("it is %+v, and says %+v", s.Filesystem, s.Token)
	}
	m.Missing("mkfs.xfs", false)
	m.Reboot()
	converged(t, m, want)
}
