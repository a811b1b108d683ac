package volume

import (
	"fmt"
	"strings"
	"testing"

	"bootswain/internal/situation"
	"bootswain/spec"
)

func TestConformance(t *testing.T) {
	for _, c := range suite {
		t.Run(c.name, func(t *testing.T) {
			if *real {
				c.run(t, newRealBench(t, 4))
				return
			}
			b := newModelBench(t)
			c.run(t, b)
			sound(t, b.m)
		})
	}
}

// suite is what volumes must do on every machine. Each case begins with four
// blank volumes and nothing up.
type suiteCase struct {
	name string
	run  func(t *testing.T, b bench)
}

var suite = []suiteCase{
	{"first boot and reboots", firstBoot},
	{"a foreign file system is refused and keeps its bytes", refuseForeign},
	{"bytes without a signature are refused and stay", refuseBytes},
	{"nothing is made where nobody asked for it", refuseBlank},
	{"a missing device is waited for, and nothing is made of the rest", waitForDevice},
	{"a ready set without one of its devices stays as it is", partOfReady},
	{"a foreign device in a ready set is refused", mixedSet},
	{"a volume and its copy are refused", clones},
	{"a wrong key is locked out, and the volume's own key opens", wrongKey},
	{"down is down, twice, and up again", downAndUp},
	{"a set without launch data explains itself", discover},
	{"content released by its fingerprint is wiped, once", wipeReleased},
	{"a killed first boot is finished by the next", killedFirstBoot},
	{"a lost device is noticed, and comes back", lostDevice},
	{"a rotated key opens, and the one before does not", rotateKeys},
	{"a header is backed up, and restored where it belongs", headerBackup},
	{"a plain volume is made, comes back, and goes down", plainVolume},
	{"a killed first boot of a plain volume is finished by the next", killedPlain},
	{"a plain volume that lost a device comes back with it", lostPlain},
	{"ext4 is made where it is asked for", ext4Volume},
	{"a volume grows with its device", growVolume},
	{"scratch is made anew by each boot and by nothing else", scratchVolume},
	{"a volume that is up stays where it is mounted until it is taken down", movedMount},
	{"instance storage with somebody's file system stays as it is", foreignScratch},
}

// refusedWith converges and expects a sentence, and that nothing is up.
func refusedWith(t *testing.T, b bench, want spec.Volume, word situation.Word, text string) {
	t.Helper()
	_, err := Converge(t.Context(), b.host(), want, nil)
	s := says(t, err, word, text)
	if left := b.up(t); left != "" {
		t.Errorf("after %s there is up:\n%s", s.Word, left)
	}
}

func movedMount(t *testing.T, b bench) {
	want := over(b.ids()[3:]...)
	up(t, b, want)
	b.store(t, want.Mount, "kept")
	moved := want
	moved.Mount = "/srv/set0"
	_, err := Converge(t.Context(), b.host(), moved, nil)
	says(t, err, situation.Waiting, "it is mounted on /srv/data, and is to be on /srv/set0; what may be in use stays where it is.")
	if got := b.load(t, want.Mount); got != "kept" {
		t.Errorf("the row is %q", got)
	}
	if err := Down(t.Context(), b.host(), "data", nil); err != nil {
		t.Fatal(err)
	}
	up(t, b, moved)
	if got := b.load(t, moved.Mount); got != "kept" {
		t.Errorf("the row is %q where it is mounted now", got)
	}
	b.reboot(t)
	up(t, b, want)
}

func firstBoot(t *testing.T, b bench) {
	for i, ids := range [][]string{b.ids()[3:], b.ids()[1:3]} {
		want := over(ids...)
		up(t, b, want)
		b.store(t, want.Mount, fmt.Sprint("row ", i))
		for range 2 {
			b.reboot(t)
			up(t, b, want)
			if got := b.load(t, want.Mount); got != fmt.Sprint("row ", i) {
				t.Fatalf("the row is %q", got)
			}
		}
		b.reboot(t)
	}
}

func refuseForeign(t *testing.T, b bench) {
	b.foreign(t, b.ids()[1])
	sum := b.sum(t, b.ids()[1])
	refusedWith(t, b, over(b.ids()[:3]...), situation.Refused, b.ids()[1]+" holds ext4")
	refusedWith(t, b, over(b.ids()[1]), situation.Refused, "nothing written.\n  next: correct ebs, or discard it: bootswain apply data --wipe "+b.ids()[1]+":")
	if b.sum(t, b.ids()[1]) != sum {
		t.Error("bytes have changed")
	}
}

func refuseBytes(t *testing.T, b bench) {
	b.write(t, b.ids()[0], 17<<20+3, []byte("somebody's"))
	sum := b.sum(t, b.ids()[0])
	refusedWith(t, b, over(b.ids()[:2]...), situation.Refused, fmt.Sprintf("%s holds data of no known kind (from byte %d)", b.ids()[0], 17<<20+3))
	single := over(b.ids()[0])
	single.Filesystem.Type = "ext4" // for XFS it would be too small
	refusedWith(t, b, single, situation.Refused, "--wipe "+b.ids()[0])
	if b.sum(t, b.ids()[0]) != sum {
		t.Error("bytes have changed")
	}
}

func refuseBlank(t *testing.T, b bench) {
	want := over(b.ids()[:2]...)
	want.Create = spec.CreateNever
	sum := b.sum(t, b.ids()[0])
	refusedWith(t, b, want, situation.Refused, "hold no file system, and nobody said that one may be made")
	want = over(b.ids()[0])
	want.Filesystem.Type = "ext4" // for XFS it would be too small
	want.Encryption.Sealed = nil
	refusedWith(t, b, want, situation.Locked, "the launch data names no key for it")
	want.Encryption.Sealed = []byte("for somebody else")
	refusedWith(t, b, want, situation.Locked, "this image holds age1test")
	if b.sum(t, b.ids()[0]) != sum {
		t.Error("bytes have changed")
	}
}

func waitForDevice(t *testing.T, b bench) {
	sum := b.sum(t, b.ids()[0])
	refusedWith(t, b, over(b.ids()[0], b.ids()[1], "vol-0abcdef0"), situation.Waiting, "2 of 3 volumes; vol-0abcdef0 missing.")
	if b.sum(t, b.ids()[0]) != sum {
		t.Error("bytes have changed")
	}
}

func partOfReady(t *testing.T, b bench) {
	want := over(b.ids()[:2]...)
	up(t, b, want)
	b.store(t, want.Mount, "kept")
	b.reboot(t)
	refusedWith(t, b, over(b.ids()[0], "vol-0abcdef0"), situation.Waiting, "1 of 2 volumes")
	refusedWith(t, b, over(b.ids()[0]), situation.Refused, `holds device 1 of 2 of array "bootswain:data"`)
	refusedWith(t, b, over(b.ids()[0], b.ids()[2]), situation.Refused, "is no member")
	refusedWith(t, b, over(b.ids()[0], b.ids()[1], b.ids()[2]), situation.Refused, "nothing written")
	up(t, b, over(b.ids()[1], b.ids()[0]))
	if got := b.load(t, want.Mount); got != "kept" {
		t.Errorf("the row is %q", got)
	}
}

func mixedSet(t *testing.T, b bench) {
	want := over(b.ids()[:2]...)
	up(t, b, want)
	b.reboot(t)
	b.foreign(t, b.ids()[2])
	sum := b.sum(t, b.ids()[2])
	refusedWith(t, b, over(b.ids()[:3]...), situation.Refused, b.ids()[2]+" holds ext4")
	refusedWith(t, b, over(b.ids()[0], b.ids()[2]), situation.Refused, b.ids()[2]+" holds ext4")
	if b.sum(t, b.ids()[2]) != sum {
		t.Error("bytes have changed")
	}
}

func clones(t *testing.T, b bench) {
	want := over(b.ids()[:2]...)
	up(t, b, want)
	b.reboot(t)
	b.copy(t, b.ids()[0], b.ids()[2])
	sum := b.sum(t, b.ids()[2])
	refusedWith(t, b, over(b.ids()[0], b.ids()[2]), situation.Refused, "both say that they are device 1 of 2")
	if b.sum(t, b.ids()[2]) != sum {
		t.Error("bytes have changed")
	}
	// The volume and the copy with the other device are the same set.
	up(t, b, over(b.ids()[2], b.ids()[1]))
}

func wrongKey(t *testing.T, b bench) {
	want := over(b.ids()[3])
	up(t, b, want)
	b.reboot(t)
	other := want
	other.Encryption.Sealed = []byte("sealed:two")
	up(t, b, other) // by the volume's own
	b.reboot(t)
	h := b.host()
	h.Keys = ringWithout("sealed:one")
	_, err := Converge(t.Context(), h, other, nil)
	says(t, err, situation.Locked, "the launch data's key: the key does not unlock it; the volume's own key: the key is sealed to another recipient")
	h.Keys = ringWithout("")
	other.Encryption.Sealed = nil
	up(t, b, other)
}

func downAndUp(t *testing.T, b bench) {
	for _, ids := range [][]string{b.ids()[3:], b.ids()[1:3]} {
		up(t, b, over(ids...))
		for range 2 {
			if err := Down(t.Context(), b.host(), "data", nil); err != nil {
				t.Fatal(err)
			}
			if left := b.up(t); left != "" {
				t.Fatalf("still up:\n%s", left)
			}
		}
		up(t, b, over(ids...))
		if names, err := Up(b.host()); err != nil || strings.Join(names, " ") != "data" {
			t.Errorf("up: %v, %v", names, err)
		}
		for range 2 {
			if err := DownAll(t.Context(), b.host(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if left := b.up(t); left != "" {
			t.Fatalf("still up:\n%s", left)
		}
	}
}

func discover(t *testing.T, b bench) {
	want := over(b.ids()[2], b.ids()[0])
	up(t, b, want)
	b.store(t, want.Mount, "found")
	b.reboot(t)
	vs, database, err := Discover(t.Context(), b.host(), nil)
	if err != nil || len(vs) != 1 || database != "data" {
		t.Fatalf("found %+v, %q, %v", vs, database, err)
	}
	if vs[0].Create != spec.CreateNever || vs[0].Mount != want.Mount || strings.Join(vs[0].EBS.IDs, " ") != strings.Join(want.EBS.IDs, " ") {
		t.Errorf("found %+v", vs[0])
	}
	up(t, b, vs[0])
	if got := b.load(t, want.Mount); got != "found" {
		t.Errorf("the row is %q", got)
	}
	b.reboot(t)
	if vs, _, err := Discover(t.Context(), b.host(), []string{b.ids()[0], b.ids()[2]}); err != nil || len(vs) != 0 {
		t.Errorf("found although claimed: %+v, %v", vs, err)
	}
	if vs, _, err := Discover(t.Context(), b.host(), b.ids()[2:3]); len(vs) != 0 || situation.Of(err) == nil || situation.Of(err).Word != situation.Waiting {
		t.Errorf("of a part: %+v, %v", vs, err)
	}
}

func wipeReleased(t *testing.T, b bench) {
	ids := b.ids()[:2]
	b.foreign(t, ids[0])
	b.write(t, ids[1], 20<<20, []byte("somebody's"))
	want := over(ids...)
	for _, id := range ids { // one after the other, as a person would
		_, err := Converge(t.Context(), b.host(), want, nil)
		s := says(t, err, situation.Refused, "--wipe "+id+":")
		_, found, _ := strings.Cut(s.Next, id+":")
		want.Wipe = append(want.Wipe, spec.Wipe{Volume: id, Found: found})
	}
	up(t, b, want)
	b.store(t, want.Mount, "new")
	b.reboot(t)
	up(t, b, want) // the release is still in the launch data
	if got := b.load(t, want.Mount); got != "new" {
		t.Errorf("the row is %q", got)
	}
}

func killedFirstBoot(t *testing.T, b bench) {
	for n := 1; n <= 20; n += 3 {
		want := over(b.ids()[:2]...)
		b.killed(t, n, func(h *Host) error {
			_, err := Converge(t.Context(), h, want, nil)
			return err
		})
		b.reboot(t)
	}
	want := over(b.ids()[:2]...)
	up(t, b, want)
	b.store(t, want.Mount, "after all")
	b.reboot(t)
	up(t, b, want)
	if got := b.load(t, want.Mount); got != "after all" {
		t.Errorf("the row is %q", got)
	}
}

func lostDevice(t *testing.T, b bench) {
	for _, ids := range [][]string{b.ids()[3:], b.ids()[1:3]} {
		want := over(ids...)
		s := up(t, b, want)
		b.store(t, want.Mount, "kept")
		if err := Lost(t.Context(), b.host(), s); err != nil {
			t.Fatalf("lost: %v", err)
		}
		b.detach(t, ids[len(ids)-1])
		says(t, Lost(t.Context(), b.host(), s), situation.Failed, ids[len(ids)-1]+" lost")
		_, err := Converge(t.Context(), b.host(), want, nil)
		says(t, err, situation.Failed, ids[len(ids)-1]+" lost")
		if err := Down(t.Context(), b.host(), "data", nil); err != nil {
			t.Fatalf("%v\n%s", err, b.up(t))
		}
		refusedWith(t, b, want, situation.Waiting, "missing")
		b.attach(t, ids[len(ids)-1])
		up(t, b, want)
		if got := b.load(t, want.Mount); got != "kept" {
			t.Errorf("the row is %q", got)
		}
		// Lost and back before anybody looked.
		b.detach(t, ids[0])
		b.attach(t, ids[0])
		up(t, b, want)
		if got := b.load(t, want.Mount); got != "kept" {
			t.Errorf("the row is %q", got)
		}
		b.reboot(t)
	}
}
