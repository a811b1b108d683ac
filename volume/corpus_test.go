package volume

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bootswain/filesystem"
	"bootswain/internal/corpus"
	"bootswain/internal/fakehost"
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

// other are the states that are more than bytes, or bytes of our own making.
var other = []struct {
	name string
	says string
	run  func(t *testing.T, b stateBench)
}{
	{"ours, first header damaged", "the first copy of its LUKS header on", headerDamaged},
	{"ours, header written over", "the first copy of its LUKS header is gone, and ext", headerWrittenOver},
	{"ours, unfinished, then partitioned", "MBR partition table beside what is left of an unfinished set", partitioned},
	{"ours, unfinished, released, then used", "holds ext", releasedThenUsed},
	{"an array of others with our name", "is in use by md", othersArray},
	{"ours, read-only", "is read-only; nothing written", oursReadOnly},
	{"read-only", "is read-only; nothing written", blankReadOnly},
	{"mounted on /mnt", "is in use by a file system mounted on /mnt; nothing written", mountedByCloudInit},
	{"unequal sizes", "a new set takes equal sizes; nothing written", unequal},
	{"too small", "and it takes 32; nothing written", tooSmall},
}

// elsewhere are the states that other tests bring about: which, and what the
// sentence says.
var elsewhere = map[string]struct{ test, says string }{
	"blank":             {"TestConformance/nothing is made where nobody asked for it", "hold no file system, and nobody said that one may be made"},
	"unreadable":        {"TestUnreadable", "cannot be read"},
	"in use":            {"TestPlanRefuses/in use", "is in use by"},
	"ours, whole":       {"TestConformance/first boot and reboots", "mounted on"},
	"ours, partial":     {"TestConformance/a ready set without one of its devices stays as it is", "1 of 2 volumes"},
	"ours, mixed":       {"TestConformance/a foreign device in a ready set is refused", "holds ext4"},
	"ours, cloned":      {"TestConformance/a volume and its copy are refused", "both say that they are device 1 of 2"},
	"ours, preparing":   {"TestConformance/a killed first boot is finished by the next", "mounted on"},
	"ours, lost":        {"TestConformance/a lost device is noticed, and comes back", "lost"},
	"ours, header gone": {"TestHeaderGone", "nothing written"},
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
	unasked := over(id)
	unasked.Create = spec.CreateNever
	wishes := []spec.Volume{over(id), unasked}
	if blank != "" {
		wishes = append(wishes, over(id, blank))
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

// TestStatesAreDocumented: docs/storage.md has a row for each state, and the
// sentence in it is the one that is tested.
func TestStatesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/storage.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if m := regexp.MustCompile("^\\| `?([^|`]+)`? \\|(.*)\\|$").FindStringSubmatch(line); m != nil {
			rows[strings.TrimSpace(m[1])] = m[2]
		}
	}
	check := func(name, says string) {
		switch row, there := rows[name]; {
		case !there:
			t.Errorf("docs/storage.md has no row for %q", name)
		case !strings.Contains(row, says):
			t.Errorf("docs/storage.md does not say of %q: %s", name, says)
		}
	}
	var names []string
	for _, c := range held {
		names = append(names, c.name)
		check(c.name, c.holds)
	}
	for _, c := range other {
		check(c.name, c.says)
	}
	for name, c := range elsewhere {
		check(name, c.says)
		check(name, c.test)
		of, isCase := strings.CutPrefix(c.test, "TestConformance/")
		if isCase && !slices.ContainsFunc(suite, func(c suiteCase) bool { return c.name == of }) {
			t.Errorf("there is no %s", c.test)
		}
	}
	if slices.Sort(names); !slices.Equal(names, corpus.Names()) {
		t.Errorf("corpus has %v\nand tested are %v", corpus.Names(), names)
	}
}

func headerDamaged(t *testing.T, b stateBench) {
	want := over(b.ids()[3])
	up(t, b, want)
	b.store(t, want.Mount, "kept")
	b.reboot(t)
	b.write(t, b.ids()[3], 0, make([]byte, 4096))
	s := must1(t)(Observe(t.Context(), b.host(), want))
	if worn := s.Worn(); worn == nil || worn.Word != situation.Degraded || !strings.Contains(worn.Text, "the first copy of its LUKS header on "+b.ids()[3]+" is damaged") || worn.Next == "" {
		t.Errorf("it says %v", worn)
	}
	p, err := Plan(want, s)
	if err != nil || !strings.Contains(p.String(), "though the first copy of its LUKS header is damaged") {
		t.Errorf("plan %v, %v", p, err)
	}
	up(t, b, want)
	if got := b.load(t, want.Mount); got != "kept" {
		t.Errorf("the row is %q", got)
	}
}

// headerWrittenOver: opening would put the header back over what somebody made.
func headerWrittenOver(t *testing.T, b stateBench) {
	want := over(b.ids()[3])
	up(t, b, want)
	b.reboot(t)
	b.write(t, b.ids()[3], 0, beginning(t, "ext2", 2048))
	sum := b.whole(t, b.ids()[3])
	refusedWith(t, b, want, situation.Refused, "the first copy of its LUKS header is gone, and ext")
	if b.whole(t, b.ids()[3]) != sum {
		t.Error("bytes have changed")
	}
}

// beginning is how a device of the corpus begins.
func beginning(t *testing.T, name string, size int) []byte {
	t.Helper()
	d, err := corpus.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	b := make(memory, size)
	if err := d.WriteTo(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// memory keeps the beginning of what is written to it.
type memory []byte

func (m memory) WriteAt(b []byte, at int64) (int, error) {
	if at < int64(len(m)) {
		copy(m[at:], b)
	}
	return len(b), nil
}

// cutOff makes a set as far as its header.
func cutOff(t *testing.T, b stateBench, want spec.Volume) {
	t.Helper()
	h := b.host()
	tools := h.Run
	h.Run = runner(func(ctx context.Context, c run.Cmd) ([]byte, error) {
		if c.Name == "cryptsetup" {
			return nil, errors.New("the machine is off")
		}
		return tools.Run(ctx, c)
	})
	_, err := Converge(t.Context(), h, want, nil)
	says(t, err, situation.Failed, "the machine is off")
	b.reboot(t)
}

// releasedThenUsed: a release is good for what it was given for, not for what
// came after a crash, although the claim is still there.
func releasedThenUsed(t *testing.T, b stateBench) {
	id := b.ids()[0]
	b.write(t, id, 0, beginning(t, "ext2", 2048))
	want := over(id)
	_, err := Converge(t.Context(), b.host(), want, nil)
	s := says(t, err, situation.Refused, "--wipe "+id+":")
	_, found, _ := strings.Cut(s.Next, id+":")
	want.Wipe = []spec.Wipe{{Volume: id, Found: found}}
	cutOff(t, b, want)
	b.write(t, id, 0, beginning(t, "ext2", 2048))
	b.write(t, id, 20<<20, []byte("somebody's"))
	sum := b.whole(t, id)
	refusedWith(t, b, want, situation.Refused, id+" holds ext")
	if b.whole(t, id) != sum {
		t.Error("bytes have changed")
	}
}

// othersArray: an idle array of somebody else stays up, whatever it is called.
func othersArray(t *testing.T, b stateBench) {
	s := must1(t)(Observe(t.Context(), b.host(), over(b.ids()[:2]...)))
	if _, err := b.host().Run.Run(t.Context(), run.Cmd{Name: "mdadm", Args: []string{
		"--create", "/dev/md/data", "--run", "--level=0", "--metadata=1.2", "--homehost=other", "--name=data",
		"--uuid=" + s.uuid(kindArray), "--chunk=256K", "--raid-devices=2", s.Devices[0].Path, s.Devices[1].Path,
	}}); err != nil {
		t.Fatal(err)
	}
	before := b.up(t)
	for range 2 {
		if err := errors.Join(Down(t.Context(), b.host(), "data", nil), DownAll(t.Context(), b.host(), nil)); err != nil {
			t.Error(err)
		}
	}
	_, err := Converge(t.Context(), b.host(), over(b.ids()[0]), nil)
	says(t, err, situation.Refused, "is in use by md")
	_, err = Converge(t.Context(), b.host(), over(b.ids()[:2]...), nil)
	says(t, err, situation.Refused, b.ids()[0]+` holds device 1 of 2 of array "other:data"`)
	if after := b.up(t); before == "" || after != before {
		t.Errorf("was up:\n%s\nis up:\n%s", before, after)
	}
	b.reboot(t)
}

// partitioned: a set whose making was cut off, and a disk of it that was put to
// another use; md's superblock and our claim are still on it.
func partitioned(t *testing.T, b stateBench) {
	want := over(b.ids()[:2]...)
	cutOff(t, b, want)
	b.write(t, b.ids()[0], 0, beginning(t, "mbr", 512))
	sum := b.whole(t, b.ids()[0])
	refusedWith(t, b, want, situation.Refused, b.ids()[0]+" holds MBR partition table beside what is left of an unfinished set; nothing written.\n  next: correct ebs, or discard it: bootswain apply data --wipe "+b.ids()[0])
	if b.whole(t, b.ids()[0]) != sum {
		t.Error("bytes have changed")
	}
}

func oursReadOnly(t *testing.T, b stateBench) {
	want := over(b.ids()[3])
	up(t, b, want)
	b.reboot(t)
	b.readOnly(t, b.ids()[3], true)
	refusedWith(t, b, want, situation.Refused, "is read-only; nothing written.\n  next: attach it writable")
	b.readOnly(t, b.ids()[3], false)
	up(t, b, want)
}

func blankReadOnly(t *testing.T, b stateBench) {
	b.readOnly(t, b.ids()[0], true)
	refusedWith(t, b, over(b.ids()[0]), situation.Refused, "is read-only; nothing written.\n  next: attach it writable")
	b.readOnly(t, b.ids()[0], false)
}

// mountedByCloudInit: a disk in use is refused before what is on it is even
// spoken of, and whoever released its content.
func mountedByCloudInit(t *testing.T, b stateBench) {
	d, err := corpus.Load("ext2")
	if err != nil {
		t.Fatal(err)
	}
	id, _ := b.hold(t, d)
	_, err = Converge(t.Context(), b.host(), over(id), nil)
	s := says(t, err, situation.Refused, "--wipe "+id+":")
	_, found, _ := strings.Cut(s.Next, id+":")
	want := over(id)
	want.Wipe = []spec.Wipe{{Volume: id, Found: found}}
	sum := b.whole(t, id)
	b.mountOn(t, id, "/mnt")
	_, err = Converge(t.Context(), b.host(), want, nil)
	says(t, err, situation.Refused, "is in use by a file system mounted on /mnt; nothing written")
	if b.whole(t, id) != sum {
		t.Error("bytes have changed")
	}
}

func unequal(t *testing.T, b stateBench) {
	small, _ := b.hold(t, &corpus.Device{Size: 32 << 20, Wipefs: []byte(`{"signatures": []}`)})
	refusedWith(t, b, over(b.ids()[0], small), situation.Refused, "and a new set takes equal sizes; nothing written.\n  next: use volumes of equal size")
}

func tooSmall(t *testing.T, b stateBench) {
	small, _ := b.hold(t, &corpus.Device{Size: 16 << 20, Wipefs: []byte(`{"signatures": []}`)})
	refusedWith(t, b, over(small), situation.Refused, fmt.Sprintf("%s (", small))
	refusedWith(t, b, over(small), situation.Refused, "has 16 MiB, and it takes 32; nothing written.\n  next: use a larger volume")
}

func (b *modelBench) hold(_ *testing.T, d *corpus.Device) (id, blank string) {
	b.m.Foreign(d, "vol-0a000088")
	b.m.Create(d.Size, "vol-0a000099")
	return "vol-0a000088", "vol-0a000099"
}

func (b *modelBench) whole(t *testing.T, id string) string {
	t.Helper()
	f, err := os.Open(b.m.Disk(id))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	err = fakehost.Extents(f, func(begin, end int64) error {
		part := make([]byte, end-begin)
		_, err := f.ReadAt(part, begin)
		sumPart(h, begin, part)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// sumPart adds blocks that are not all zero, and where they are.
func sumPart(h io.Writer, at int64, part []byte) {
	if bytes.Equal(part, make([]byte, len(part))) {
		return // at once: a guest is slow
	}
	zeros := make([]byte, 4096)
	for b := range slices.Chunk(part, len(zeros)) {
		if !bytes.Equal(b, zeros[:len(b)]) {
			fmt.Fprintln(h, at)
			_, _ = h.Write(b)
		}
		at += int64(len(b))
	}
}

func (b *modelBench) readOnly(_ *testing.T, id string, on bool) { b.m.ReadOnly(id, on) }
func (b *modelBench) mountOn(_ *testing.T, id, where string)    { b.m.MountDisk(id, where) }
