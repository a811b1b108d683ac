package volume

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"bootswain/ebs"
	"bootswain/filesystem"
	"bootswain/internal/corpus"
	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/spec"
)

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
	{"another unfinished set", `an unfinished set "logs" of bootswain, begun with other volumes`, othersClaim},
	{"an array of others with our name", "is in use by md", othersArray},
	{"ours, read-only", "is read-only; nothing written", oursReadOnly},
	{"read-only", "is read-only; nothing written", blankReadOnly},
	{"mounted on /mnt", "is in use by a file system mounted on /mnt; nothing written", mountedByCloudInit},
	{"unequal sizes", "a new set takes equal sizes; nothing written", unequal},
	{"too small", "and an xfs volume takes 316; nothing written", tooSmall},
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
	want.Filesystem.Type = "ext4" // for which it is large enough
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

// othersClaim: what was begun under another name, or with other volumes, is not
// ours to take; one of ours that lacks a device is waited for.
func othersClaim(t *testing.T, b stateBench) {
	want := over(b.ids()[:2]...)
	s := must1(t)(Observe(t.Context(), b.host(), want))
	d := s.Devices[0]
	b.write(t, d.VolumeID, claimAt(d.Size), claim{Set: "logs", UUID: s.uuid(kindSet)}.encode())
	sum := b.whole(t, d.VolumeID)
	refusedWith(t, b, want, situation.Refused, d.VolumeID+` holds an unfinished set "logs" of bootswain, begun with other volumes; nothing written`)
	refusedWith(t, b, over(d.VolumeID, "vol-0abcdef0"), situation.Waiting, "1 of 2 volumes")
	if b.whole(t, d.VolumeID) != sum {
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
	want.Filesystem.Type = "ext4" // for which they are large enough
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
	h := b.host()
	h.Run = runner(func(ctx context.Context, c run.Cmd) ([]byte, error) {
		if c.Name == "mkfs.xfs" && slices.Equal(c.Args, []string{"-V"}) {
			return []byte("mkfs.xfs version 6.13.0\n"), nil // the model's is older
		}
		return b.host().Run.Run(ctx, c)
	})
	_, err := Converge(t.Context(), h, over(small), nil)
	says(t, err, situation.Refused, small+" (")
	says(t, err, situation.Refused, "has 16 MiB, and an xfs volume takes 316; nothing written.\n  next: use larger volumes")
	want := over(small)
	want.Filesystem.Type = "ext4"
	refusedWith(t, b, want, situation.Refused, "has 16 MiB, and an ext4 volume takes 32; nothing written.\n  next: use larger volumes")
}

// TestCopied: a volume restored from snapshots is on other EBS volumes than those
// that it was made on.
func TestCopied(t *testing.T) {
	made := State{Name: "data", Devices: []Device{{Device: ebs.Device{VolumeID: "vol-0a11"}}}}
	if made.Copied() {
		t.Error("a volume without a file system is a copy")
	}
	made.Filesystem = &Filesystem{Superblock: filesystem.Superblock{UUID: made.uuid(kindFilesystem)}}
	restored := made
	restored.Devices = []Device{{Device: ebs.Device{VolumeID: "vol-0a22"}}}
	if made.Copied() || !restored.Copied() {
		t.Errorf("made: a copy is %v; restored: %v", made.Copied(), restored.Copied())
	}
}
