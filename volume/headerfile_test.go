package volume

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
)

func headerBackup(t *testing.T, b bench) {
	want := over(b.ids()[3])
	up(t, b, want)
	b.store(t, want.Mount, "kept")
	file := filepath.Join(t.TempDir(), "data.header")
	if err := BackUpHeader(t.Context(), b.host(), want, file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 || info.Size() != 16<<20 {
		t.Fatalf("%v, %v", info, err)
	}
	refused := func(file, text string) {
		t.Helper()
		sum := b.sum(t, want.EBS.IDs[0])
		says(t, RestoreHeader(t.Context(), b.host(), want, file, nil), situation.Refused, text)
		if b.sum(t, want.EBS.IDs[0]) != sum {
			t.Error("bytes have changed")
		}
	}
	refused(file, "it is open; nothing written.\n  next: bootswain down data")
	if err := Rekey(t.Context(), b.host(), want, NewKey{Sealed: []byte("sealed:two")}, nil); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(t.TempDir(), "newer.header")
	if err := BackUpHeader(t.Context(), b.host(), want, newer); err != nil {
		t.Fatal(err)
	}
	b.reboot(t)
	refused(file, "its header is good and newer than the backup")
	// Another set of the same name, whose header is worth nothing here.
	other := over(b.ids()[:2]...)
	up(t, b, other)
	wrong := filepath.Join(t.TempDir(), "wrong.header")
	if err := BackUpHeader(t.Context(), b.host(), other, wrong); err != nil {
		t.Fatal(err)
	}
	b.reboot(t)
	refused(wrong, "holds the header of another set")
	b.write(t, want.EBS.IDs[0], 0, bytes.Repeat([]byte{0xa5}, 4<<20))
	refused(wrong, fmt.Sprintf("the backup is of a set on %s, %s, and these are %s; nothing written", b.ids()[0], b.ids()[1], b.ids()[3]))
	if err := RestoreHeader(t.Context(), b.host(), want, newer, nil); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(newer + ".replaced"); err != nil || kept[0] != 0xa5 {
		t.Errorf("what was written over is not kept: %v", err)
	}
	up(t, b, want)
	if got := b.load(t, want.Mount); got != "kept" {
		t.Errorf("the row is %q", got)
	}
	b.reboot(t)
	b.write(t, want.EBS.IDs[0], 32<<10, make([]byte, 4<<20)) // the keyslots alone
	if err := RestoreHeader(t.Context(), b.host(), want, newer, nil); err != nil {
		t.Fatal(err)
	}
	up(t, b, want)
}

// TestCutRestore cuts the power at every step of restoring the header of an
// array; restoring again ends well.
func TestCutRestore(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		m := fakehost.New(t)
		m.Create(diskSize, volumeIDs(2)...)
		want := wanted(2)
		converged(t, m, want)
		m.Store("/srv/data", "kept")
		file := filepath.Join(t.TempDir(), "data.header")
		if err := BackUpHeader(t.Context(), hostOf(m), want, file); err != nil {
			t.Fatal(err)
		}
		m.Reboot()
		write(t, m, volumeIDs(2)[0], 1<<20, make([]byte, 256<<10)) // the first chunk of the array
		m.CutAfter(at)
		err := RestoreHeader(t.Context(), hostOf(m), want, file, nil)
		cut := m.WasCut()
		if (err != nil) != cut {
			t.Fatalf("cut at %d: %v, %v", at, cut, err)
		}
		m.Reboot()
		m.CutAfter(0)
		if err := RestoreHeader(t.Context(), hostOf(m), want, file, nil); err != nil {
			t.Fatalf("cut at %d, and again: %v", at, err)
		}
		converged(t, m, want)
		if got := m.Load("/srv/data"); got != "kept" {
			t.Fatalf("cut at %d: the row is %q", at, got)
		}
		if !cut {
			return
		}
	}
}

// TestNoBackup: what stands in a file that somebody brings is looked at first.
func TestNoBackup(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	converged(t, m, wanted(1))
	file := filepath.Join(t.TempDir(), "data.header")
	if err := BackUpHeader(t.Context(), hostOf(m), wanted(1), file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	torn := bytes.Clone(whole)
	clear(torn[4<<10 : 16<<10])
	clear(torn[20<<10 : 32<<10])
	m.Reboot()
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":    {nil, "is no backup that can be used: no LUKS header"},
		"torn":     {torn, "is no backup that can be used: no copy of the LUKS header is whole"},
		"cut off":  {whole[:8<<20], "is not the whole header of a volume that was ready"},
		"one copy": {append(make([]byte, 16<<10), whole[16<<10:]...), "is not the whole header of a volume that was ready"},
	} {
		if err := os.WriteFile(file, c.b, 0o600); err != nil {
			t.Fatal(err)
		}
		err := RestoreHeader(t.Context(), hostOf(m), wanted(1), file, nil)
		if s := situation.Of(err); s == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		says(t, err, situation.Refused, c.want)
	}
	other := wanted(1)
	other.Name = "other"
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RestoreHeader(t.Context(), hostOf(m), other, file, nil); situation.Of(err) == nil || situation.Of(err).Next != "name the volume data" {
		t.Errorf("another volume's: %v", err)
	}
}
