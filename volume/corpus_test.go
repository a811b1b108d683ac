package volume

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bootswain/filesystem"
	"bootswain/internal/corpus"
	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// stateBench is a bench that can also be given others' devices.
type stateBench interface {
	bench
	// hold returns a volume with that on it, and a blank one of the same size, or
	// "" for want of one.
	hold(t *testing.T, d *corpus.Device) (id, blank string)
	whole(t *testing.T, id string) string // changes with any byte
	readOnly(t *testing.T, id string, on bool)
	mountOn(t *testing.T, id, where string) // read-only, behind everybody's back
}

// held are the states of devices that carry somebody else's bytes: corpus's
// name, and what the sentence says that the volume holds.
var held = []struct{ name, holds string }{
	{"ext2", `ext2 "backup" 0123…`},
	{"ext3", `ext3 "backup" 0123…`},
	{"ext4", `ext4 "backup" 0123…`},
	{"xfs", `xfs "backup" 0123…`},
	{"btrfs", `btrfs "backup" 0123…`},
	{"f2fs", `f2fs "backup"`},
	{"nilfs2", `nilfs2 "backup"`},
	{"zfs", `ZFS pool member "ztest"`},
	{"bcachefs", `what looks like bcachefs, damaged or of a version that is not known here`},
	{"bcachefs-damaged", `what looks like bcachefs, damaged or of a version that is not known here`},
	{"bcache", `bcache`},
	{"lvm", `LVM physical volume 0123…`},
	{"swap", `swap space "swap" 0123…`},
	{"gpt", `GPT partition table`},
	{"gpt-backup-only", `GPT partition table`},
	{"mbr", `MBR partition table`},
	{"luks1", `LUKS encryption 0123…`},
	{"luks2", `LUKS encryption "backup" 0123…`},
	{"luks-newer", `LUKS encryption of a version that is not known here`},
	{"bitlocker", `BitLocker encryption`},
	{"md-0.90", `device 1 of 2 of array "" 0123…`},
	{"md-1.0", `device 1 of 2 of array "bootswain:x" 0123…`},
	{"md-1.1", `device 1 of 2 of array "bootswain:x" 0123…`},
	{"md-1.2", `device 1 of 2 of array "bootswain:data" 0123…`},
	{"md-newer", `an md superblock of a version that is not known here`},
	{"bluestore", `Ceph BlueStore`},
	{"drbd", `DRBD`},
	{"ntfs", `ntfs "backup"`},
	{"fat", `FAT`},
	{"exfat", `exfat "backup"`},
	{"iso9660", `ISO 9660 "BACKUP"`},
	{"squashfs", `squashfs`},
	{"erofs", `erofs 0123…`},
	{"unknown", `data of no known kind (from byte 17825795)`},
	{"ours-token-newer", `its token has version 2 and this bootswain knows up to 1`},
	{"ours-reencrypting", `it is half re-encrypted (its LUKS header asks for online-reencrypt-v2)`},
}

// newStateBench returns a bench; the real one is looked for once.
func newStateBench(t *testing.T) stateBench {
	if !*real {
		return newModelBench(t)
	}
	return newRealBench(t, 5)
}

// TestCorpus puts each state on the machine and looks at it, plans, applies, asks
// how it is, looks for sets that explain themselves, and takes down: each with the sentence
// that says what is there, and all without changing one byte.
func TestCorpus(t *testing.T) {
	same := 0
	for _, c := range held {
		if t.Run(c.name, func(t *testing.T) { keepsBytes(t, newStateBench(t), c.name, c.holds) }) {
			same++
		}
	}
	t.Logf("corpus: sentence right and bytes unchanged after plan, apply, status, discovery and down: %d of %d", same, len(held))
	for _, c := range other {
		t.Run(c.name, func(t *testing.T) { c.run(t, newStateBench(t)) })
	}
}

// nothing is the sum of a blank volume.
var nothing = fmt.Sprintf("%x", sha256.Sum256(nil))

func keepsBytes(t *testing.T, b stateBench, name, holds string) {
	d, err := corpus.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	id, blank := b.hold(t, d)
	sum := b.whole(t, id)
	if *real {
		sameSignatures(t, b, d, id)
	}
	wish := func(ids ...string) spec.Volume {
		want := over(ids...)
		want.Filesystem.Type = "ext4" // for XFS the devices are too small, which is said first
		return want
	}
	unasked := wish(id)
	unasked.Create = spec.CreateNever
	wishes := []spec.Volume{wish(id)}
	if blank != "" {
		wishes = append(wishes, wish(id, blank))
	}
	if !*real { // where it would take long for what the model tells as well
		wishes = append(wishes, unasked)
	}
	for _, want := range wishes {
		refusesEverywhere(t, b, want, id, holds)
	}
	if b.whole(t, id) != sum {
		t.Error("bytes have changed")
	}
	if blank != "" && b.whole(t, blank) != nothing {
		t.Error("the blank volume beside it is not blank any more")
	}
}

// refusesEverywhere looks at the volume in each way that bootswain does. What
// is ours reads otherwise where it would be one of several devices, and what no
// tool knows is not looked for where nothing would be made.
func refusesEverywhere(t *testing.T, b stateBench, want spec.Volume, id, holds string) {
	t.Helper()
	text := id + " holds " + holds
	switch {
	case strings.HasPrefix(holds, "it"):
		text = holds
		if len(want.EBS.IDs) > 1 {
			text = id + ` holds the volume "data" of bootswain 0123…`
		}
	case strings.HasPrefix(holds, "data of no") && want.Create == spec.CreateNever:
		text = "hold no file system, and nobody said that one may be made"
	}
	text += "; nothing written"
	seen := must1(t)(Observe(t.Context(), b.host(), want))
	if err := Lost(t.Context(), b.host(), seen); err != nil {
		t.Errorf("Lost: %v", err)
	}
	_, err := Plan(want, seen)
	s := says(t, err, situation.Refused, strings.TrimSuffix(text, "; nothing written"))
	refusedWith(t, b, want, situation.Refused, strings.TrimPrefix(s.Error(), "REFUSED data: "))
	if !strings.Contains(s.Error(), "nothing written") {
		t.Errorf("it does not say that nothing was written: %v", s.Error())
	}
	// A set that explains itself, and cannot be used, may say so.
	if _, _, err := Discover(t.Context(), b.host(), nil); err != nil && situation.Of(err) == nil {
		t.Errorf("Discover: %v", err)
	}
	for range 2 {
		if err := errors.Join(Down(t.Context(), b.host(), "data", nil), DownAll(t.Context(), b.host(), nil)); err != nil {
			t.Errorf("down: %v", err)
		}
	}
}

func must1(t *testing.T) func(State, error) State {
	return func(s State, err error) State {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// sameSignatures makes sure that the real wipefs still says what was recorded,
// and so what the model's says.
func sameSignatures(t *testing.T, b stateBench, d *corpus.Device, id string) {
	t.Helper()
	s := must1(t)(Observe(t.Context(), b.host(), over(id)))
	recorded := func(context.Context, run.Cmd) ([]byte, error) { return d.Wipefs, nil }
	want, err := filesystem.Signatures(t.Context(), runner(recorded), "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := filesystem.Signatures(t.Context(), b.host().Run, s.Devices[0].Path)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("wipefs says %v, %v; recorded was %v", got, err, want)
	}
}

type runner func(context.Context, run.Cmd) ([]byte, error)

func (r runner) Run(ctx context.Context, c run.Cmd) ([]byte, error) { return r(ctx, c) }
