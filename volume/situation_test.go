package volume

import (
	"os"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// TestMissingTool: each program that is not installed is named, with the
// package to install, and nothing is up or written by halves because of it.
func TestMissingTool(t *testing.T) {
	for program, c := range map[string]struct {
		n    int
		want string
	}{
		"wipefs":     {1, "wipefs is not installed; cannot look at vol-0a000011"},
		"mdadm":      {2, "mdadm is not installed; cannot create array data on vol-0a000011, vol-0a000022.\n  next: install mdadm"},
		"cryptsetup": {1, "cryptsetup is not installed; cannot write a LUKS2 header for data on vol-0a000011.\n  next: install cryptsetup-bin"},
		"mkfs.xfs":   {2, "mkfs.xfs is not installed; cannot make an XFS file system for data.\n  next: install xfsprogs"},
	} {
		t.Run(program, func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(c.n)...)
			m.Missing(program, true)
			_, err := Converge(t.Context(), hostOf(m), wanted(c.n), nil)
			says(t, err, situation.Failed, c.want)
			m.Missing(program, false)
			converged(t, m, wanted(c.n))
		})
	}
}

// TestAttachedNames selects devices by the names of the launch template.
func TestAttachedNames(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(3)...)
	want := wanted(2)
	want.EBS = spec.EBS{Devices: []string{"/dev/sdg", "sdh"}}
	s := converged(t, m, want)
	if got := strings.Join(s.ids(), " "); got != "vol-0a000022 vol-0a000033" {
		t.Errorf("took %s", got)
	}
	want.EBS.Devices = append(want.EBS.Devices, "/dev/sdz")
	m.Reboot()
	_, err := Converge(t.Context(), hostOf(m), want, nil)
	says(t, err, situation.Waiting, "2 of 3 volumes; /dev/sdz missing.")
}

// TestRefusalWritesNothing: whatever is refused, every byte of every device
// stays as it was.
func TestRefusalWritesNothing(t *testing.T) {
	for name, disturb := range map[string]func(t *testing.T, m *fakehost.Machine, want *spec.Volume){
		"foreign file system": func(t *testing.T, m *fakehost.Machine, _ *spec.Volume) {
			write(t, m, volumeIDs(2)[1], 0x438, []byte("\x53\xef"))
		},
		"partition table": func(t *testing.T, m *fakehost.Machine, _ *spec.Volume) {
			write(t, m, volumeIDs(2)[1], 510, []byte("\x55\xaa"))
		},
		"bytes in the middle": func(t *testing.T, m *fakehost.Machine, _ *spec.Volume) {
			write(t, m, volumeIDs(2)[1], diskSize/2, []byte{1})
		},
		"the very last byte": func(t *testing.T, m *fakehost.Machine, _ *spec.Volume) {
			write(t, m, volumeIDs(2)[1], diskSize-1, []byte{1})
		},
		"broken md superblock": func(t *testing.T, m *fakehost.Machine, _ *spec.Volume) {
			write(t, m, volumeIDs(2)[0], 4096, []byte("\xfc\x4e\x2b\xa9\x01\x00\x00\x00"))
		},
		"create not given": func(_ *testing.T, _ *fakehost.Machine, want *spec.Volume) { want.Create = spec.CreateNever },
		"other wipe given": func(t *testing.T, m *fakehost.Machine, want *spec.Volume) {
			write(t, m, volumeIDs(2)[1], 0x438, []byte("\x53\xef"))
			want.Wipe = []spec.Wipe{{Volume: volumeIDs(2)[1], Found: "000000000000"}, {Volume: volumeIDs(2)[0], Found: ""}}
		},
		"mount point taken": func(_ *testing.T, m *fakehost.Machine, want *spec.Volume) { m.MountForeign(want.Mount) },
	} {
		t.Run(name, func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(2)...)
			want := wanted(2)
			disturb(t, m, &want)
			before := sums(t, m, volumeIDs(2)...)
			_, err := Converge(t.Context(), hostOf(m), want, nil)
			says(t, err, situation.Refused, "nothing written")
			for id, sum := range sums(t, m, volumeIDs(2)...) {
				if sum != before[id] {
					t.Errorf("%s has changed", id)
				}
			}
		})
	}
}

// TestUnreadable: a device that cannot be read is never taken for a blank one.
func TestUnreadable(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(2)...)
	if err := os.Truncate(m.Disk(volumeIDs(2)[1]), diskSize/2); err != nil {
		t.Fatal(err)
	}
	_, err := Converge(t.Context(), hostOf(m), wanted(2), nil)
	says(t, err, situation.Failed, "vol-0a000022 (")
}

// TestReadyWithoutFileSystem: a ready set whose content is gone is never given
// a new file system.
func TestReadyWithoutFileSystem(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	converged(t, m, wanted(1))
	m.Reboot()
	write(t, m, volumeIDs(1)[0], 16<<20, make([]byte, 4096))
	_, err := Converge(t.Context(), hostOf(m), wanted(1), nil)
	says(t, err, situation.Refused, "it was ready once, and now holds")
	sound(t, m)
}

// TestHeaderGone: a ready set whose header is gone in both copies is never
// given a new one.
func TestHeaderGone(t *testing.T) {
	for _, n := range []int{1, 2} {
		m := fakehost.New(t)
		m.Create(diskSize, volumeIDs(n)...)
		converged(t, m, wanted(n))
		m.Reboot()
		at := int64(0)
		if n > 1 {
			at = 1 << 20 // where the array's data begins
		}
		write(t, m, volumeIDs(1)[0], at, make([]byte, 32<<10))
		_, err := Converge(t.Context(), hostOf(m), wanted(n), nil)
		says(t, err, situation.Refused, "nothing written")
	}
}

// TestProgressIsTold: every step of a plan is told of, with its end.
func TestProgressIsTold(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(2)...)
	var told []string
	_, err := Converge(t.Context(), hostOf(m), wanted(2), func(p Progress) {
		if p.Ended {
			told = append(told, p.Step)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "read every byte to make sure that it is blank; get the key of data; claim vol-0a000011 "
	if got := strings.Join(told, "; "); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "note in the header that data is ready; mount data on /srv/data") {
		t.Errorf("told: %s", got)
	}
}
