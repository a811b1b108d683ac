package volume

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/plan"
	"bootswain/spec"
)

// TestStepsLookAgain: between planning and doing the world may change. Each
// writing step looks once more, and then writes nothing.
func TestStepsLookAgain(t *testing.T) {
	id := volumeIDs(2)[1]
	ext4 := func(t *testing.T, m *fakehost.Machine) { write(t, m, id, 0x438, []byte("\x53\xef")) }
	swap := func(_ *testing.T, m *fakehost.Machine) { m.Detach(id); m.Attach(id) }
	unclaim := func(t *testing.T, m *fakehost.Machine) { write(t, m, id, diskSize-claimSize, make([]byte, claimSize)) }
	for name, c := range map[string]struct {
		foreign bool // at first the device holds something that is released
		step    func(plan.Step) bool
		disturb func(t *testing.T, m *fakehost.Machine)
		want    string
	}{
		"claim: a file system came": {false, isStep[*claimDevice], ext4, "holds ext4 since a moment ago; nothing written"},
		"claim: another disk":       {false, isStep[*claimDevice], swap, "is gone"},
		"wipe: other content":       {true, isStep[*wipe], func(t *testing.T, m *fakehost.Machine) { write(t, m, id, 100, []byte("new")) }, "; nothing written"},
		"wipe: another disk":        {true, isStep[*wipe], swap, "is gone"},
		"create: the claim is gone": {false, isStep[*createArray], unclaim, "is not claimed for this set; nothing written"},
		"create: a broken superblock": {false, isStep[*createArray], func(t *testing.T, m *fakehost.Machine) {
			write(t, m, id, 4096, []byte("\xfc\x4e\x2b\xa9\x01\x00\x00\x00"))
		}, "damaged md superblock"},
		"create: another disk":      {false, isStep[*createArray], swap, "is gone"},
		"format: the claim is gone": {false, isStep[*formatLUKS], unclaim, "is not claimed for this set; nothing written"},
		"format: another disk":      {false, isStep[*formatLUKS], swap, "is gone"},
		"token: another disk":       {false, isStep[*putToken], swap, "is gone"},
		"mkfs: another disk":        {false, isStep[*makeFilesystem], swap, "is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			m := fakehost.New(t)
			m.Create(diskSize, volumeIDs(2)...)
			want := wanted(2)
			if c.foreign {
				ext4(t, m)
				s, _ := Observe(t.Context(), hostOf(m), want)
				want.Wipe = []spec.Wipe{{Volume: id, Found: s.Devices[1].Content.Fingerprint}}
			}
			for _, step := range planned(t, m, want) {
				if !c.step(step) || !strings.Contains(step.String(), id) && !strings.Contains(name, "token") && !strings.Contains(name, "mkfs") {
					if err := step.Apply(t.Context()); err != nil {
						t.Fatal(err)
					}
					continue
				}
				c.disturb(t, m)
				before := sums(t, m, volumeIDs(2)...)
				if err := step.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, want %s", step, err, c.want)
				}
				for id, sum := range sums(t, m, volumeIDs(2)...) {
					if before[id] != sum {
						t.Errorf("%s has changed %s", step, id)
					}
				}
				return
			}
			t.Error("the plan has no such step")
		})
	}
}

func isStep[T plan.Step](s plan.Step) bool { _, is := s.(T); return is }

func planned(t *testing.T, m *fakehost.Machine, want spec.Volume) plan.Plan {
	t.Helper()
	s, err := Observe(t.Context(), hostOf(m), want)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Plan(want, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOthersUnfinished: a copy of one device of an unfinished set, with the
// other, is another set, whose making nobody began.
func TestOthersUnfinished(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(3)...)
	for _, step := range planned(t, m, wanted(2)) {
		if isStep[*open](step) {
			break
		}
		if err := step.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m.Reboot()
	m.Overwrite(volumeIDs(2)[1], volumeIDs(3)[2])
	before := sums(t, m, volumeIDs(3)...)
	_, err := Converge(t.Context(), hostOf(m), over(volumeIDs(1)[0], volumeIDs(3)[2]), nil)
	says(t, err, situation.Refused, "was begun with other volumes; nothing written")
	if !maps.Equal(before, sums(t, m, volumeIDs(3)...)) {
		t.Error("bytes have changed")
	}
}

// TestUnreadableIsNotBlank: what cannot be read may be what somebody wants.
func TestUnreadableIsNotBlank(t *testing.T) {
	id := volumeIDs(2)[1]
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(2)...)
	write(t, m, id, diskSize/8*5, []byte("somebody's"))
	before := m.Sum(id)
	m.Unreadable(id, true)
	_, err := Converge(t.Context(), hostOf(m), wanted(2), nil)
	says(t, err, situation.Failed, "cannot be read: ")
	if m.Sum(id) != before {
		t.Error("bytes have changed")
	}
}

// TestFormatSparesReady: a header that became ready since it was planned to be
// written anew stays.
func TestFormatSparesReady(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	var steps plan.Plan
	for _, step := range planned(t, m, wanted(1)) {
		steps = append(steps, step)
		if err := step.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := Down(t.Context(), hostOf(m), "data", nil); err != nil {
		t.Fatal(err)
	}
	before := sums(t, m, volumeIDs(1)...)
	for _, step := range steps {
		if isStep[*unseal](step) || isStep[*open](step) || isStep[*mount](step) || isStep[*markReady](step) {
			continue
		}
		if err := step.Apply(t.Context()); err == nil {
			t.Errorf("%s was done on a ready volume", step)
		}
	}
	if sums(t, m, volumeIDs(1)...)[volumeIDs(1)[0]] != before[volumeIDs(1)[0]] {
		t.Error("bytes have changed")
	}
	sound(t, m)
}

// TestArrayTakenApart: the kernel has let an array go between two looks at it.
func TestArrayTakenApart(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(2)...)
	want := wanted(2)
	if _, err := Converge(t.Context(), hostOf(m), want, nil); err != nil {
		t.Fatal(err)
	}
	s, err := Observe(t.Context(), hostOf(m), want)
	if err != nil || s.Array == nil {
		t.Fatalf("%+v, %v", s.Array, err)
	}
	dir := filepath.Join(hostOf(m).EBS.Sys, "block", s.Array.Kernel, "md")
	for _, file := range []string{"raid_disks", "array_state"} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "raid_disks"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "array_state"), []byte("clean\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { // the state follows
		time.Sleep(100 * time.Millisecond)
		_ = os.WriteFile(filepath.Join(dir, "array_state"), []byte("clear\n"), 0o600)
	}()
	s.Stale, s.Array = nil, nil
	if err := s.w.observeArray(&s); err != nil || s.Array != nil || len(s.Stale) != 1 {
		t.Errorf("array %+v, stale %v, %v, want a stale one", s.Array, s.Stale, err)
	}
}
