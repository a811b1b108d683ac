package volume

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"bootswain/ebs"
	"bootswain/internal/corpus"
	"bootswain/internal/direct"
	"bootswain/internal/run"
	"bootswain/luks"
	"bootswain/raid"
	"bootswain/spec"
)

// realBench is this very machine.
type realBench struct {
	devices map[string]ebs.Device
	order   []string // EBS volumes
	stores  []string // disks of instance storage
	runner  run.Runner
}

var realEBS = ebs.Host{Sys: "/sys", Dev: "/dev"}

func init() { newReal = func(t *testing.T, disks int) bench { return newRealBench(t, disks) } }

func newRealBench(t *testing.T, disks int) *realBench {
	t.Helper()
	b := &realBench{runner: run.Host{}}
	b.reboot(t)
	b.look(t)
	if len(b.order) != disks {
		t.Fatalf("there are %d EBS volumes, not %d", len(b.order), disks)
	}
	for _, d := range b.devices {
		blank(t, d)
	}
	return b
}

func (b *realBench) look(t *testing.T) {
	t.Helper()
	all, err := realEBS.Devices()
	if err != nil {
		t.Fatal(err)
	}
	b.devices, b.order, b.stores = map[string]ebs.Device{}, nil, nil
	for _, d := range all {
		b.devices[d.VolumeID] = d
		b.order = append(b.order, d.VolumeID)
	}
	own, err := realEBS.InstanceStore()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range own {
		b.devices[d.VolumeID] = d
		b.stores = append(b.stores, d.VolumeID)
	}
	slices.Sort(b.order) // the kernel finds disks in any order
}

// blank zeroes a device.
func blank(t *testing.T, d ebs.Device) {
	t.Helper()
	f, err := os.OpenFile(d.Path, os.O_RDWR|os.O_EXCL, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const blkZeroOut = 0x127f // BLKZEROOUT of linux/fs.h
	all := [2]uint64{0, uint64(d.Size)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), blkZeroOut, uintptr(unsafe.Pointer(&all))); errno != 0 {
		t.Fatal(errno)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func (b *realBench) host() *Host {
	return &Host{Run: b.runner, EBS: realEBS, Units: b, Keys: keyring{}, Proc: "/proc", Root: "/", Database: "data"}
}

// Mount implements Units without systemd.
func (b *realBench) Mount(ctx context.Context, m MountSpec) error {
	_, err := b.runner.Run(ctx, run.Cmd{Name: "mount", Args: []string{"-t", m.Type, "-o", strings.Join(m.Options, ","), m.What, m.Where}})
	return err
}

// Unmount implements Units.
func (b *realBench) Unmount(_ context.Context, where string) error {
	err := unix.Unmount(where, 0)
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

func (b *realBench) ids() []string { return b.order }
func (b *realBench) own() []string { return b.stores }

func must(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := (run.Host{}).Run(t.Context(), run.Cmd{Name: name, Args: args}); err != nil {
		t.Fatal(err)
	}
}

func (b *realBench) foreign(t *testing.T, id string) {
	must(t, "mkfs.ext4", "-q", "-F", "-L", "backup", b.devices[id].Path)
}

func (b *realBench) write(t *testing.T, id string, at int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(b.devices[id].Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(data, at)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func (b *realBench) copy(t *testing.T, from, to string) {
	must(t, "dd", "if="+b.devices[from].Path, "of="+b.devices[to].Path, "bs=4M", "conv=fsync", "status=none")
}

func (b *realBench) sum(t *testing.T, id string) string {
	t.Helper()
	f, err := os.Open(b.devices[id].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Emulated, a hash of everything takes longer than all else together: the
	// model machine's sum is of all bytes, this one of where tools write, and of
	// one MiB in eight between, and it leaves out zeros.
	h, buf, zeros := sha256.New(), make([]byte, 1<<20), make([]byte, 1<<20)
	size := b.devices[id].Size
	for at := int64(0); ; at += int64(len(buf)) {
		if at > 20<<20 && at < size-4<<20 && at>>20%8 != 0 {
			continue
		}
		n, err := f.ReadAt(buf, at)
		if !bytes.Equal(buf[:n], zeros[:n]) {
			fmt.Fprintln(h, at)
			h.Write(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return fmt.Sprintf("%x", h.Sum(nil))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (b *realBench) store(t *testing.T, where, row string) {
	t.Helper()
	f, err := os.Create(filepath.Join(where, "row"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(row)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func (b *realBench) load(t *testing.T, where string) string {
	t.Helper()
	row, err := os.ReadFile(filepath.Join(where, "row"))
	if err != nil {
		t.Fatal(err)
	}
	return string(row)
}

// reboot takes everything down by force. What the kernel has not let go of yet, or
// has not finished removing, is tried again.
func (b *realBench) reboot(t *testing.T) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, mount := range []string{"/srv/data", "/srv/set0", "/srv/set1", "/srv/set2"} {
			for unix.Unmount(mount, 0) == nil {
			}
		}
		if b.up(t) == "" {
			return
		}
		mappings, _ := luks.Mappings("/sys")
		arrays, _ := filepath.Glob("/sys/block/md*")
		err = nil
		for _, m := range mappings {
			_, e := b.runner.Run(t.Context(), run.Cmd{Name: "dmsetup", Args: []string{"remove", m.Name}})
			err = errors.Join(err, e)
		}
		for _, a := range arrays {
			err = errors.Join(err, raid.Stop(t.Context(), b.runner, "/sys", filepath.Base(a)))
		}
	}
	t.Fatalf("%v\n%s", err, b.up(t))
}

// detach removes a device from the PCI bus.
func (b *realBench) detach(t *testing.T, id string) {
	t.Helper()
	// With native multipath the controller stands between the subsystem and the
	// PCI device.
	doors, _ := filepath.Glob(filepath.Join("/sys/block", b.devices[id].Name, "device", "nvme*", "device", "remove"))
	if len(doors) != 1 {
		t.Fatalf("%s can be removed by %v", id, doors)
	}
	if err := os.WriteFile(doors[0], []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	b.look(t)
	if _, there := b.devices[id]; there {
		t.Fatalf("%s is still there", id)
	}
}

// attach has the kernel look for devices on the PCI bus.
func (b *realBench) attach(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	events, err := ebs.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.rescan(t)
	for b.look(t); b.devices[id].Path == ""; b.look(t) {
		if _, open := <-events; !open {
			t.Fatalf("%s does not come back", id)
		}
	}
}

func (b *realBench) rescan(t *testing.T) {
	if err := os.WriteFile("/sys/bus/pci/rescan", []byte("1"), 0); err != nil {
		t.Error(err)
	}
}

// killer kills the n-th program, some milliseconds after its start.
type killer struct {
	runs  atomic.Int32
	n     int32
	after time.Duration
}

func (k *killer) Run(ctx context.Context, c run.Cmd) ([]byte, error) {
	switch i := k.runs.Add(1); {
	case i > k.n:
		return nil, errors.New("the machine is off")
	case i == k.n:
		c.Timeout = k.after
	}
	return run.Host{}.Run(ctx, c)
}

func (b *realBench) killed(_ *testing.T, n int, do func(h *Host) error) {
	h := b.host()
	h.Run = &killer{n: int32(n), after: time.Duration(10*n) * time.Millisecond}
	_ = do(h) // a program that was quick enough is not killed
}

func (b *realBench) up(t *testing.T) string {
	t.Helper()
	var lines []string
	arrays, _ := filepath.Glob("/sys/block/md*")
	for _, a := range arrays {
		state, _ := raid.ArrayState("/sys", filepath.Base(a))
		members, _ := raid.Members("/sys", filepath.Base(a))
		if len(members) == 0 && state != raid.StateBroken {
			continue // stopped, and not gone yet
		}
		lines = append(lines, fmt.Sprintf("%s (%s) of %v", filepath.Base(a), state, members))
	}
	mappings, _ := luks.Mappings("/sys")
	for _, m := range mappings {
		below, _ := raid.Members("/sys", m.Kernel)
		lines = append(lines, fmt.Sprintf("%s %s on %v", m.Kernel, m.Name, below))
	}
	return strings.Join(lines, "\n")
}

// hold writes it to the first volume of that size; the second is blank.
func (b *realBench) hold(t *testing.T, d *corpus.Device) (id, blank string) {
	t.Helper()
	var fit []string
	for _, id := range b.order {
		if b.devices[id].Size == d.Size {
			fit = append(fit, id)
		}
	}
	fit = append(fit, "", "")
	f, err := os.OpenFile(b.devices[fit[0]].Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("for a device of %d bytes: %v", d.Size, err)
	}
	if err := errors.Join(d.WriteTo(f), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return fit[0], fit[1]
}

// whole hashes what is not zero, and where that is.
func (b *realBench) whole(t *testing.T, id string) string {
	t.Helper()
	f, err := direct.Open(b.devices[id].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, buf := sha256.New(), direct.Buffer(1<<20)
	for at := int64(0); at < b.devices[id].Size; at += int64(len(buf)) {
		n, err := f.ReadAt(buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		sumPart(h, at, buf[:n])
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func (b *realBench) readOnly(t *testing.T, id string, on bool) {
	must(t, "blockdev", map[bool]string{true: "--setro", false: "--setrw"}[on], b.devices[id].Path)
}

func (b *realBench) mountOn(t *testing.T, id, where string) {
	must(t, "mount", "-o", "ro", b.devices[id].Path, where)
	t.Cleanup(func() { _ = unix.Unmount(where, 0) })
}

// tight makes a volume, shortens its mapping behind everybody's back, and its
// file system with it: so it looks after its device has grown.
func (b *realBench) tight(t *testing.T, want spec.Volume) {
	t.Helper()
	h := b.host()
	h.Run = shortMkfs{b.runner}
	if s, err := Converge(t.Context(), h, want, nil); err != nil || s.Stuck == nil {
		t.Fatalf("it was not to grow: %v, %v", err, s.Stuck)
	}
	s, err := Observe(t.Context(), b.host(), want)
	if err != nil {
		t.Fatal(err)
	}
	if s.Mapping.Plain() {
		err = luks.ResizePlain(t.Context(), b.runner, s.Devices[0].Path, s.Mapping.Name, shortSize)
	} else {
		args := []string{"resize", "--key-file=-", "--size", fmt.Sprint(shortSize / 512), s.Mapping.Name}
		_, err = b.runner.Run(t.Context(), run.Cmd{Name: "cryptsetup", Args: args, Stdin: []byte(fmt.Sprintf("%-64s", "one"))})
	}
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Observe(t.Context(), b.host(), want); err != nil || s.Mapping.Size != shortSize {
		t.Fatalf("%+v, %v", s.Mapping, err)
	}
}

// shortMkfs has file systems made smaller than they could be, and none grown.
type shortMkfs struct{ run.Runner }

const shortSize = 304 << 20 // mkfs.xfs takes no less than 300 MiB

func (s shortMkfs) Run(ctx context.Context, c run.Cmd) ([]byte, error) {
	switch {
	case c.Name == "mkfs.xfs" && len(c.Args) > 1:
		c.Args = append([]string{"-d", fmt.Sprint("size=", shortSize)}, c.Args...)
	case c.Name == "mkfs.ext4":
		c.Args = append(c.Args, fmt.Sprint(shortSize>>10, "k"))
	case c.Name == "xfs_growfs" || c.Name == "resize2fs":
		return nil, errors.New("not yet")
	}
	return s.Runner.Run(ctx, c)
}
