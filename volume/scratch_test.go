package volume

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// wantedScratch asks for a volume of all the instance storage there is.
func wantedScratch() spec.Volume {
	return spec.Volume{
		Name: "data", InstanceStore: spec.AllInstanceStore, Encryption: spec.Encryption{Mode: spec.EncryptionEphemeral},
		Mount: "/srv/data", Required: true,
	}
}

// TestScratchLife: it is made without a word, stays as long as it is open, and
// is made anew, with another key, by the boot after it.
func TestScratchLife(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(1)...) // somebody's EBS volume, which is none of its business
			m.Create(diskSize, storeIDs(n)...)
			before := sums(t, m, volumeIDs(1)...)
			want := wantedScratch()
			want.Prefill = n == 1 // the model takes its time to stripe what is no hole
			for boot := range 3 {
				converged(t, m, want)
				m.Store("/srv/data", "of this boot")
				if p := planned(t, m, want); len(p) > 0 {
					t.Errorf("boot %d: it is up, and there is still to do:\n%s", boot, p)
				}
				if err := m.Unmount(t.Context(), "/srv/data"); err != nil {
					t.Fatal(err)
				}
				if s := converged(t, m, want); m.Load("/srv/data") != "of this boot" || s.Header == nil {
					t.Errorf("boot %d: unmounted and mounted again, it holds %q", boot, m.Load("/srv/data"))
				}
				m.Reboot()
			}
			if made := strings.Count(strings.Join(m.Commands, "\n"), "luksFormat"); made != 3 {
				t.Errorf("three boots have made %d headers", made)
			}
			if sums(t, m, volumeIDs(1)...)[volumeIDs(1)[0]] != before[volumeIDs(1)[0]] {
				t.Error("the EBS volume has changed")
			}
			if vs, _, err := Discover(t.Context(), hostOf(m), nil); len(vs) > 0 || err != nil {
				t.Errorf("discovered %+v, %v", vs, err)
			}
		})
	}
}

// TestScratchCut cuts the power at every step of a boot; the next one comes up
// by itself.
func TestScratchCut(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			m := fakehost.New(t)
			m.Create(diskSize, storeIDs(n)...)
			for at := 1; ; at += n {
				m.CutAfter(at)
				_, err := Converge(t.Context(), hostOf(m), wantedScratch(), nil)
				cut := m.WasCut()
				if err != nil && !cut {
					t.Fatalf("cut at %d: %v\n%v", at, err, m.Commands)
				}
				m.Reboot()
				if at%5 == 0 {
					converged(t, m, wantedScratch())
					m.Reboot()
				}
				if !cut {
					return
				}
			}
		})
	}
}

// TestScratchRestarted: a daemon that is killed while it makes one leaves a key
// that nobody has; the next makes it anew in the same boot.
func TestScratchRestarted(t *testing.T) {
	for at := 4; at < 24; at += 3 {
		m := fakehost.New(t)
		m.Create(diskSize, storeIDs(2)...)
		m.CutAfter(at)
		if _, err := Converge(t.Context(), hostOf(m), wantedScratch(), nil); err == nil {
			return
		}
		m.CutAfter(0)
		converged(t, m, wantedScratch())
	}
}

func TestScratchRefuses(t *testing.T) {
	one := storeIDs(1)[0]
	ext4 := func(t *testing.T, m *fakehost.Machine) { write(t, m, one, 0x438, []byte("\x53\xef")) }
	for name, c := range map[string]struct {
		change func(t *testing.T, m *fakehost.Machine)
		want   func(*spec.Volume)
		word   situation.Word
		text   string
	}{
		"somebody's file system": {ext4, nil, situation.Refused, one + " holds ext4; nothing written.\n  next: correct instance_store, or discard it: bootswain apply data --wipe " + one + ":"},
		"a file system over our scratch": {func(t *testing.T, m *fakehost.Machine) {
			converged(t, m, wantedScratch())
			m.Reboot()
			write(t, m, one, 0, make([]byte, 1<<20))
			ext4(t, m)
		}, nil, situation.Refused, "holds ext4"},
		"bytes without a signature": {func(t *testing.T, m *fakehost.Machine) { write(t, m, one, 30<<20, []byte("x")) }, nil, situation.Refused, "data of no known kind"},
		"too few":                   {func(*testing.T, *fakehost.Machine) {}, func(v *spec.Volume) { v.InstanceStore = 3 }, situation.Waiting, "this machine shows 2 of 3 disks of instance storage"},
		"too many":                  {func(*testing.T, *fakehost.Machine) {}, func(v *spec.Volume) { v.InstanceStore = 1 }, situation.Refused, "this machine has 2 disks of instance storage, and instance_store says 1"},
		"none":                      {func(_ *testing.T, m *fakehost.Machine) { m.Detach(storeIDs(2)...) }, nil, situation.Waiting, "shows 0 of 1"},
		"up on fewer": {func(t *testing.T, m *fakehost.Machine) {
			converged(t, m, wantedScratch())
			m.Create(diskSize, storeIDs(3)[2])
		}, nil, situation.Refused, "it is up on 2 of 3 disks of instance storage; nothing written"},
	} {
		t.Run(name, func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, storeIDs(2)...)
			c.change(t, m)
			before := sums(t, m, storeIDs(2)...)
			want := wantedScratch()
			if c.want != nil {
				c.want(&want)
			}
			_, err := Converge(t.Context(), hostOf(m), want, nil)
			says(t, err, c.word, c.text)
			for id, sum := range sums(t, m, storeIDs(2)...) {
				if before[id] != sum {
					t.Errorf("%s has changed", id)
				}
			}
		})
	}
}

// TestScratchOnMoreDisks: what was made on fewer disks by an earlier boot is
// scratch all the same.
func TestScratchOnMoreDisks(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, storeIDs(2)...)
	converged(t, m, wantedScratch())
	m.Reboot()
	m.Create(diskSize, storeIDs(3)[2])
	if s := converged(t, m, wantedScratch()); s.Array.Disks != 3 {
		t.Errorf("it is up on %d disks", s.Array.Disks)
	}
}

func TestScratchWipe(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, storeIDs(1)...)
	write(t, m, storeIDs(1)[0], 0x438, []byte("\x53\xef"))
	want := wantedScratch()
	_, err := Converge(t.Context(), hostOf(m), want, nil)
	s := says(t, err, situation.Refused, "--wipe")
	_, found, _ := strings.Cut(s.Next, storeIDs(1)[0]+":")
	want.Wipe = []spec.Wipe{{Volume: storeIDs(1)[0], Found: found}}
	converged(t, m, want)
}

// TestPrefill: it tells how far it is, and every byte is written before the file
// system is made.
func TestPrefill(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, storeIDs(1)...)
	want := wantedScratch()
	want.Prefill = true
	var mu sync.Mutex
	var told []Progress
	_, err := Converge(t.Context(), hostOf(m), want, func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(p.Step, "fill ") && p.Total > 0 {
			told = append(told, p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	last := told[len(told)-1]
	if len(told) < 5 || !last.Ended || last.Done != last.Total || last.Total != diskSize-16<<20 || last.Took == 0 {
		t.Errorf("told %+v", told)
	}
}

// TestScratchInUse: cloud-init mounts instance storage on /mnt unasked.
func TestScratchInUse(t *testing.T) {
	s := seen(1)
	s.Mode, s.Store = spec.EncryptionEphemeral, true
	s.Devices[0].Content = Content{Kind: KindForeign, Holds: "ext3"}
	s.Devices[0].InUse = "a file system mounted on /mnt"
	_, err := Plan(wantedScratch(), s)
	says(t, err, situation.Refused, "is in use by a file system mounted on /mnt; nothing written.\n  next: stop what uses it; of cloud-init's own mount: umount it, and give cloud-init mounts: [[ephemeral0, null]]")
}
