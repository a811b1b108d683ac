package volume

import (
	"fmt"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
)

// tree is how the machine looks when the volume is up.
func tree(n int) string {
	on, lines := volumeIDs(1)[0], ""
	if n > 1 {
		on = "bootswain:data"
		lines = "array bootswain:data (clean) of " + strings.Join(volumeIDs(n), " ") + "\n"
	}
	return lines + "mapping bootswain-data on " + on + "\nmount /dev/mapper/bootswain-data on /srv/data\n" + strings.Join(volumeIDs(n), "\n")
}

func TestLife(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d devices", n), func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(n)...)
			s := converged(t, m, wanted(n))
			if got := m.String(); got != tree(n) {
				t.Fatalf("after first boot:\n%s\nwant:\n%s", got, tree(n))
			}
			if s.Token == nil || s.Token.Intent != "ready" || !s.Token.Purpose.MySQL || len(s.Token.Volumes) != n || s.Filesystem.UUID != s.uuid(kindFilesystem) {
				t.Errorf("token %+v, file system %+v", s.Token, s.Filesystem)
			}
			if len(m.Immutable) != 1 {
				t.Errorf("made immutable: %v", m.Immutable)
			}
			for _, d := range s.Devices {
				if d.Claim != nil {
					t.Errorf("%s still carries a claim", d.VolumeID)
				}
			}
			m.Store("/srv/data", "a row")
			for boot := range 3 {
				m.Reboot()
				converged(t, m, wanted(n))
				if got := m.String(); got != tree(n) {
					t.Fatalf("after reboot %d:\n%s\nwant:\n%s", boot, got, tree(n))
				}
				if got := m.Load("/srv/data"); got != "a row" {
					t.Fatalf("after reboot %d the row is %q", boot, got)
				}
			}
			commands := len(m.Commands)
			converged(t, m, wanted(n))
			for _, c := range m.Commands[commands:] {
				t.Errorf("a volume that is up makes work: %s", c)
			}
		})
	}
}

// TestReadOnce: a disk that holds data without a signature waits for a person,
// and is not read whole at each try; once it is wiped, it is.
func TestReadOnce(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	write(t, m, volumeIDs(1)[0], 30<<20, []byte("somebody's"))
	h := hostOf(m)
	h.Found = new(Found)
	var whole int
	try := func() error {
		whole = 0
		_, err := Converge(t.Context(), h, wanted(1), func(p Progress) {
			if p.Total > 0 && p.Ended {
				whole++
			}
		})
		return err
	}
	for i, want := range []int{1, 0, 0} {
		says(t, try(), situation.Refused, "data of no known kind")
		if whole != want {
			t.Errorf("try %d read the disk %d times, want %d", i+1, whole, want)
		}
	}
	write(t, m, volumeIDs(1)[0], 30<<20, make([]byte, 10))
	if err := try(); err != nil || whole != 1 {
		t.Errorf("after it was wiped: %v, read %d times, want once", err, whole)
	}
}
