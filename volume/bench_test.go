package volume

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"bootswain/internal/corpus"
	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/secret"
	"bootswain/spec"
)

// real runs the conformance suite on this machine's NVMe devices, all of which
// it overwrites. It is for a micro guest that has nothing to lose.
var real = flag.Bool("real", false, "run the conformance suite on this machine's own devices")

// bench is a machine with four blank EBS volumes, of which the last is large
// enough to carry a file system alone, and two disks of instance storage; the
// model machine or, in a micro guest, a real one. The suite of TestConformance
// runs on both, so that the model cannot drift from what mdadm, cryptsetup and
// the kernel do.
type bench interface {
	host() *Host
	ids() []string
	own() []string                                      // two disks of instance storage
	foreign(t *testing.T, id string)                    // makes an ext4 file system labelled "backup"
	write(t *testing.T, id string, at int64, b []byte)  // behind everybody's back
	copy(t *testing.T, from, to string)                 // makes one volume a copy of another
	sum(t *testing.T, id string) string                 // changes with any byte that could have been written
	store(t *testing.T, where, row string)              // into the mounted file system, and onto the disks
	load(t *testing.T, where string) string             //
	reboot(t *testing.T)                                // nothing is up afterwards
	detach(t *testing.T, id string)                     // without a word
	attach(t *testing.T, id string)                     // again, under whatever name
	killed(t *testing.T, n int, do func(h *Host) error) // runs do and kills the program that is at work at step n
	clear(t *testing.T)                                 // all devices are blank again
	tight(t *testing.T, want spec.Volume)               // brings a volume up whose device has grown since
	up(t *testing.T) string                             // what arrays and mappings there are
}

// newReal makes the real one; it is nil where the tests are built without it.
var newReal func(t *testing.T, disks int) bench

// over asks for a volume over these EBS volumes.
func over(ids ...string) spec.Volume {
	v := wanted(1)
	v.EBS.IDs = ids
	return v
}

// modelBench is the model machine.
type modelBench struct {
	m *fakehost.Machine
}

func newModelBench(t *testing.T) *modelBench {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(4)...)
	m.Create(diskSize, storeIDs(2)...)
	return &modelBench{m}
}

func (b *modelBench) host() *Host   { return hostOf(b.m) }
func (b *modelBench) ids() []string { return volumeIDs(4) }
func (b *modelBench) own() []string { return storeIDs(2) }

func (b *modelBench) foreign(t *testing.T, id string) {
	write(t, b.m, id, 0x438, []byte("\x53\xef"))
	write(t, b.m, id, 0x478, []byte("backup"))
}

func (b *modelBench) write(t *testing.T, id string, at int64, data []byte) {
	write(t, b.m, id, at, data)
}
func (b *modelBench) copy(_ *testing.T, from, to string)     { b.m.Overwrite(from, to) }
func (b *modelBench) sum(_ *testing.T, id string) string     { return b.m.Sum(id) }
func (b *modelBench) store(_ *testing.T, where, row string)  { b.m.Store(where, row) }
func (b *modelBench) load(_ *testing.T, where string) string { return b.m.Load(where) }
func (b *modelBench) reboot(*testing.T)                      { b.m.Reboot() }
func (b *modelBench) detach(_ *testing.T, id string)         { b.m.Detach(id) }
func (b *modelBench) attach(_ *testing.T, id string)         { b.m.Attach(id) }

func (b *modelBench) clear(*testing.T) {
	for _, id := range append(volumeIDs(4), storeIDs(2)...) {
		b.m.Blank(id)
	}
}

func (b *modelBench) tight(t *testing.T, want spec.Volume) {
	up(t, b, want)
	b.m.Enlarge(want.EBS.IDs[0], grownSize)
}

func (b *modelBench) killed(t *testing.T, n int, do func(h *Host) error) {
	b.m.CutAfter(2 * n)
	if err := do(b.host()); err != nil && !b.m.WasCut() {
		t.Fatal(err)
	}
}

func (b *modelBench) up(*testing.T) string {
	var lines []string
	for _, line := range strings.Split(b.m.String(), "\n") {
		if !strings.HasPrefix(line, "vol-") && !strings.HasPrefix(line, "AWS") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
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

// ringWithout unseals everything but one ciphertext.
type ringWithout string

func (r ringWithout) Unseal(ctx context.Context, ciphertext []byte) (*secret.Key, error) {
	if string(ciphertext) == string(r) {
		return nil, &situation.Situation{Word: situation.Locked, Subject: "key", Next: "seal it anew",
			Text: "the key is sealed to another recipient; this image holds age1test. Data untouched."}
	}
	return keyring{}.Unseal(ctx, ciphertext)
}

func up(t *testing.T, b bench, want spec.Volume) State {
	t.Helper()
	s, err := Converge(t.Context(), b.host(), want, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.up(t))
	}
	if !s.mountedAt(want.Mount) || !s.ready() {
		t.Fatalf("converged, and not mounted or not ready: %+v\n%s", s, b.up(t))
	}
	return s
}

func storeIDs(n int) []string {
	return []string{"AWS1AA22BB33CC44DD51", "AWS1AA22BB33CC44DD52", "AWS1AA22BB33CC44DD53"}[:n]
}

const grownSize = diskSize + 128<<20
