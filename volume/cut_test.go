package volume

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/spec"
)

// TestCutFirstBoot cuts the power at every step of first boot, and then at a
// second step of the boot after it; the boot after that must come up by itself.
func TestCutFirstBoot(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d devices", n), func(t *testing.T) {
			t.Parallel()
			every := map[int]int{1: 1, 2: 1, 4: 3}[n] // with four as with two, only more of the same
			for at := 1; ; at += every {
				m := fakehost.New(t)
				m.Create(diskSize, volumeIDs(n)...)
				if !cutAt(t, m, n, at) {
					if at < 30 {
						t.Fatalf("first boot has only %d steps", at)
					}
					return
				}
				m.Reboot()
				again := 1 + rand.New(rand.NewPCG(uint64(n), uint64(at))).IntN(at+10)
				if cutAt(t, m, n, again) {
					m.Reboot()
				}
				m.CutAfter(0)
				proveUsable(t, m, n, fmt.Sprintf("cut at %d and %d", at, again))
			}
		})
	}
}

// cutAt boots, with the power failing at that step, and tells whether it did.
func cutAt(t *testing.T, m *fakehost.Machine, n, at int) bool {
	t.Helper()
	m.CutAfter(at)
	_, err := Converge(t.Context(), hostOf(m), wanted(n), nil)
	if err != nil && !m.WasCut() {
		t.Fatalf("cut at %d: failed before the cut: %v", at, err)
	}
	sound(t, m)
	return m.WasCut()
}

// proveUsable brings the volume up, writes a row, and finds it after a reboot.
func proveUsable(t *testing.T, m *fakehost.Machine, n int, when string) {
	t.Helper()
	if _, err := Converge(t.Context(), hostOf(m), wanted(n), nil); err != nil {
		t.Fatalf("%s: %v\n%s\n%v", when, err, m, m.Commands)
	}
	m.Store("/srv/data", when)
	m.Reboot()
	s := converged(t, m, wanted(n))
	if got := m.Load("/srv/data"); got != when {
		t.Fatalf("%s: the row is %q", when, got)
	}
	for _, d := range s.Devices {
		if d.Claim != nil {
			t.Fatalf("%s: %s still carries a claim", when, d.VolumeID)
		}
	}
	sound(t, m)
}

// TestCutWipe cuts the power at every step of wiping released content and
// making a set of it. The release stays in the launch data and must do.
func TestCutWipe(t *testing.T) {
	t.Parallel()
	for at := 1; ; at += 2 {
		m := fakehost.New(t)
		m.Create(diskSize, volumeIDs(2)...)
		write(t, m, volumeIDs(2)[0], 0x438, []byte("\x53\xef"))
		write(t, m, volumeIDs(2)[0], diskSize-512, []byte("EFI PART"))
		want := wanted(2)
		s, err := Observe(t.Context(), hostOf(m), want)
		if err != nil {
			t.Fatal(err)
		}
		want.Wipe = []spec.Wipe{{Volume: volumeIDs(2)[0], Found: s.Devices[0].Content.Fingerprint}}
		m.CutAfter(at)
		if _, err := Converge(t.Context(), hostOf(m), want, nil); err == nil {
			return
		}
		m.Reboot()
		converged(t, m, want)
	}
}
