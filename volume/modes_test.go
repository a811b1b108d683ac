package volume

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"bootswain/internal/situation"
	"bootswain/spec"
)

// The part of the conformance suite that is about volumes without encryption, of
// other file systems, and on instance storage.

func plainOver(kind string, ids ...string) spec.Volume {
	v := over(ids...)
	v.Encryption = spec.Encryption{Mode: spec.EncryptionNone}
	v.Filesystem.Type = kind
	return v
}

func plainVolume(t *testing.T, b bench) {
	for i, want := range []spec.Volume{plainOver("xfs", b.ids()[3]), plainOver("ext4", b.ids()[0]), plainOver("xfs", b.ids()[1:3]...)} {
		up(t, b, want)
		b.store(t, want.Mount, fmt.Sprint("row ", i))
		for range 2 {
			b.reboot(t)
			if s := up(t, b, want); b.load(t, want.Mount) != fmt.Sprint("row ", i) || s.Header != nil {
				t.Fatalf("the row is %q, the header %v", b.load(t, want.Mount), s.Header)
			}
		}
		for range 2 {
			if err := Down(t.Context(), b.host(), "data", nil); err != nil {
				t.Fatal(err)
			}
			if left := b.up(t); left != "" {
				t.Fatalf("still up:\n%s", left)
			}
		}
	}
}

func killedPlain(t *testing.T, b bench) {
	want := plainOver("xfs", b.ids()[:2]...)
	for n := 1; n <= 8; n++ {
		b.killed(t, n, func(h *Host) error {
			_, err := Converge(t.Context(), h, want, nil)
			return err
		})
		b.reboot(t)
	}
	up(t, b, want)
	b.store(t, want.Mount, "after all")
	b.reboot(t)
	up(t, b, want)
	if got := b.load(t, want.Mount); got != "after all" {
		t.Errorf("the row is %q", got)
	}
}

func lostPlain(t *testing.T, b bench) {
	for _, ids := range [][]string{b.ids()[3:], b.ids()[1:3]} {
		want := plainOver("", ids...)
		s := up(t, b, want)
		b.store(t, want.Mount, "kept")
		b.detach(t, ids[0])
		says(t, Lost(t.Context(), b.host(), s), situation.Failed, ids[0]+" lost")
		if err := Down(t.Context(), b.host(), "data", nil); err != nil {
			t.Fatalf("%v\n%s", err, b.up(t))
		}
		refusedWith(t, b, want, situation.Waiting, "missing")
		b.attach(t, ids[0])
		up(t, b, want)
		if got := b.load(t, want.Mount); got != "kept" {
			t.Errorf("the row is %q", got)
		}
		b.reboot(t)
	}
}

func ext4Volume(t *testing.T, b bench) {
	want := over(b.ids()[:2]...)
	want.Filesystem.Type = "ext4"
	s := up(t, b, want)
	if *real {
		aligned(t, s.Mapping.Path)
	}
	b.store(t, want.Mount, "on ext4")
	b.reboot(t)
	want.Filesystem.Type = "" // the volume itself says what it is
	if s := up(t, b, want); b.load(t, want.Mount) != "on ext4" || s.Filesystem.Type != "ext4" {
		t.Errorf("the row is %q on %s", b.load(t, want.Mount), s.Filesystem.Type)
	}
}

func scratchVolume(t *testing.T, b bench) {
	want := wantedScratch()
	want.InstanceStore = len(b.own())
	volume := b.sum(t, b.ids()[0])
	for boot := range 3 {
		want.Prefill = boot == 1 && *real // the model takes minutes to stripe what is no hole
		s := up(t, b, want)
		if len(s.Devices) != 2 || s.Header.UUID != s.uuid(kindHeader) || s.Token == nil {
			t.Fatalf("it is %+v", s)
		}
		b.store(t, want.Mount, fmt.Sprint("boot ", boot))
		up(t, b, want)
		if got := b.load(t, want.Mount); got != fmt.Sprint("boot ", boot) {
			t.Errorf("the row is %q", got)
		}
		b.reboot(t)
	}
	if b.sum(t, b.ids()[0]) != volume {
		t.Error("an EBS volume has changed")
	}
	for n := 2; n <= 8; n += 3 {
		b.killed(t, n, func(h *Host) error {
			_, err := Converge(t.Context(), h, want, nil)
			return err
		})
		b.reboot(t)
	}
	up(t, b, want)
}

func foreignScratch(t *testing.T, b bench) {
	disk := b.own()[0]
	b.foreign(t, disk)
	sum := b.sum(t, disk)
	refusedWith(t, b, wantedScratch(), situation.Refused, disk+" holds ext4")
	if b.sum(t, disk) != sum {
		t.Error("bytes have changed")
	}
}

func growVolume(t *testing.T, b bench) {
	for _, want := range []spec.Volume{over(b.ids()[3]), plainOver("ext4", b.ids()[3])} {
		b.tight(t, want)
		b.store(t, want.Mount, "kept")
		for range 2 {
			s := up(t, b, want)
			if mapping, fs := s.grown(); mapping || fs {
				t.Errorf("the device has %d bytes, the mapping %d, the file system %d", s.Devices[0].Size, s.Mapping.Size, s.Filesystem.Size)
			}
			if got := b.load(t, want.Mount); got != "kept" {
				t.Errorf("the row is %q", got)
			}
			b.reboot(t)
		}
		b.clear(t)
	}
}

// aligned fails the test unless an ext4 file system knows the stripes of an array
// of two with chunks of 256 KiB (kernel, fs/ext4/ext4.h, s_raid_stride and
// s_raid_stripe_width, in blocks).
func aligned(t *testing.T, device string) {
	t.Helper()
	f, err := os.Open(device)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1024)
	if _, err := f.ReadAt(b, 1024); err != nil {
		t.Fatal(err)
	}
	block := int64(1024) << binary.LittleEndian.Uint32(b[24:])
	stride, width := int64(binary.LittleEndian.Uint16(b[0x164:])), int64(binary.LittleEndian.Uint32(b[0x170:]))
	if stride*block != 256<<10 || width*block != 512<<10 {
		t.Errorf("stride is %d, stripe width %d blocks of %d bytes", stride, width, block)
	}
}
