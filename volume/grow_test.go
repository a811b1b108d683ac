package volume

import (
	"fmt"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/spec"
)

// TestGrow: a volume whose one device has grown grows with it while it is
// mounted, and at the next boot, and once.
func TestGrow(t *testing.T) {
	for _, kind := range []string{"xfs", "ext4"} {
		for name, want := range map[string]spec.Volume{"encrypted": wanted(1), "plain": wantedPlain(1)} {
			for _, reboot := range []bool{false, true} {
				t.Run(fmt.Sprint(name, kind, reboot), func(t *testing.T) {
					want.Filesystem.Type = kind
					m := fakehost.New(t)
					m.Create(diskSize, volumeIDs(1)...)
					s := converged(t, m, want)
					m.Store("/srv/data", "row")
					m.Enlarge(volumeIDs(1)[0], grownSize)
					if !Grown(hostOf(m), s) {
						t.Error("nobody notices that it has grown")
					}
					if reboot {
						m.Reboot()
					}
					s = converged(t, m, want)
					if m.Load("/srv/data") != "row" || grownSize-s.Mapping.Size > 17<<20 || s.Mapping.Size-s.Filesystem.Size > 4096 {
						t.Errorf("the row is %q, the mapping %d, the file system %d bytes", m.Load("/srv/data"), s.Mapping.Size, s.Filesystem.Size)
					}
					grew := strings.Count(strings.Join(m.Commands, "\n"), "grow") + strings.Count(strings.Join(m.Commands, "\n"), "resize2fs")
					if converged(t, m, want); grew != 1 || Grown(hostOf(m), s) {
						t.Errorf("it grew %d times", grew)
					}
				})
			}
		}
	}
}

// TestCutGrow cuts the power at every step of growing.
func TestCutGrow(t *testing.T) {
	for name, want := range map[string]spec.Volume{"encrypted": wanted(1), "plain": wantedPlain(1)} {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				m := fakehost.New(t)
				m.Create(diskSize, volumeIDs(1)...)
				converged(t, m, want)
				m.Store("/srv/data", "row")
				m.Enlarge(volumeIDs(1)[0], grownSize)
				m.CutAfter(at)
				_, err := Converge(t.Context(), hostOf(m), want, nil)
				cut := m.WasCut()
				if err != nil && !cut {
					t.Fatal(err)
				}
				m.Reboot()
				s := converged(t, m, want)
				if m.Load("/srv/data") != "row" || s.Mapping.Size-s.Filesystem.Size > 4096 {
					t.Fatalf("cut at %d: the row is %q, %+v", at, m.Load("/srv/data"), s.Filesystem)
				}
				if !cut {
					return
				}
			}
		})
	}
}

// TestGrowFails: a volume that cannot grow stays up, and says so.
func TestGrowFails(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	converged(t, m, wanted(1))
	m.Enlarge(volumeIDs(1)[0], grownSize)
	m.Reboot()
	m.Missing("xfs_growfs", true)
	worn := converged(t, m, wanted(1)).Worn()
	want := "DEGRADED data: up, but smaller than its device: xfs_growfs is not installed; cannot grow the file system (xfs) of data on vol-0a000011."
	if worn == nil || worn.Error() != want {
		t.Errorf("it says %v\nwant %s", worn, want)
	}
	m.Missing("xfs_growfs", false)
	if s := converged(t, m, wanted(1)); s.Worn() != nil || s.roomy() {
		t.Errorf("mended, it says %v", s.Worn())
	}
}

// TestArrayDoesNotGrow: it stays up as it is, and says what to do.
func TestArrayDoesNotGrow(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(2)...)
	converged(t, m, wanted(2))
	m.Enlarge(volumeIDs(2)[1], grownSize)
	m.Reboot()
	s := converged(t, m, wanted(2))
	if notes := strings.Join(s.Notes(), "|"); notes != volumeIDs(2)[1]+" has grown by 128 MiB, which a RAID0 cannot use; to have more, make a set of larger volumes and copy" {
		t.Errorf("it says %q", notes)
	}
}
