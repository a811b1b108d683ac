// Package fakehost is a model machine for tests: EBS volumes as sparse files, a
// sysfs beside them, and the programs that bootswain runs, which act on the
// files' real bytes. Superblocks, LUKS2 headers and XFS superblocks are the real
// formats, so that the readers under test read what they read in life; what is
// below them is a model: a striped array is a file that is copied from and to
// its members, and encryption is an exclusive or that changes with each header.
//
// Contents stand for all that goes wrong by order: the machine notes when
// something that was ready is made anew, power can be cut at any step of any
// program, and a reboot keeps nothing but bytes. It knows no time, no buffers
// that a cut would lose, and no exclusive opening.
package fakehost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"bootswain/ebs"
)

// Machine is one model machine. Its methods fail the test on errors that are
// the test's own.
type Machine struct {
	t    testing.TB
	root string

	mu      sync.Mutex
	disks   map[string]*disk // by volume id
	nodes   map[string]*node // by kernel name: what /dev and /sys show
	mounts  []mounted
	seq     uint64 // the next diskseq
	names   int    // the next NVMe number
	missing map[string]bool
	steps   int // counted since the machine started
	cutAt   int // 0: never
	cut     bool
	used    map[string]bool // UUIDs of file systems that were mounted without encryption
	chance  *rand.Rand      // for what programs and power cuts do at random

	// Destroyed says, in words, what was made anew although it held something
	// that was ready. A right program leaves it empty.
	Destroyed []string
	// Commands are the command lines in their order.
	Commands []string
	// Immutable are the directories that were made immutable.
	Immutable []string
}

// disk is an EBS volume, or instance storage if its id begins with AWS: it outlives reboots and detachment.
type disk struct {
	id   string
	file string
	size int64

	readOnly   bool
	signed     []signature // recorded; nil where the model looks by itself
	unreadable bool
}

// model is that of EBS, or of instance storage, by its id.
func (d *disk) model() string {
	if strings.HasPrefix(d.id, "AWS") {
		return "Amazon EC2 NVMe Instance Storage"
	}
	return "Amazon Elastic Block Store"
}

// node is a block device of the running machine.
type node struct {
	name   string
	disk   *disk // of an NVMe device
	file   string
	size   int64
	number string
	below  []string // kernel names of what it stands on
	array  *array
	crypt  *crypt
	shown  map[string]string // what sysfs says of it, by attribute
}

// New makes a machine without volumes.
func New(t testing.TB) *Machine {
	t.Helper()
	m := &Machine{t: t, root: memory(t), disks: map[string]*disk{}, nodes: map[string]*node{}, missing: map[string]bool{}, used: map[string]bool{}, seq: 10, chance: rand.New(rand.NewPCG(1, 1))}
	for _, dir := range []string{"disks", "run", "dev/mapper", "dev/md", "sys/block", "proc/self", "fs"} {
		m.must(os.MkdirAll(filepath.Join(m.root, dir), 0o755))
	}
	m.writeMounts()
	flushing(m.root, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.step()
	})
	return m
}

// memory returns a temporary directory, in memory where there is a file system
// for that: the programs under test flush what they write, again and again.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fakehost-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// EBS returns where the machine's block devices are looked up.
func (m *Machine) EBS() ebs.Host {
	return ebs.Host{Sys: m.path("sys"), Dev: m.path("dev"), Identify: m.identify}
}

// Proc and Root are the machine's /proc and /.
func (m *Machine) Proc() string { return m.path("proc") }

// Root is the machine's root directory.
func (m *Machine) Root() string { return m.path("fs") }

func (m *Machine) path(parts ...string) string {
	return m.root + "/" + strings.Join(parts, "/")
}

func (m *Machine) must(err error) {
	if err != nil {
		m.t.Helper()
		m.t.Fatal(err)
	}
}

// Create makes blank volumes of that size and attaches them.
func (m *Machine) Create(size int64, ids ...string) {
	m.t.Helper()
	for _, id := range ids {
		d := &disk{id: id, file: m.path("disks", id), size: size}
		m.must(os.WriteFile(d.file, nil, 0o600))
		m.must(os.Truncate(d.file, size))
		m.disks[id] = d
	}
	m.Attach(ids...)
}

// Enlarge gives a volume, and the device that shows it, more room.
func (m *Machine) Enlarge(id string, size int64) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.disks[id]
	d.size = size
	m.must(os.Truncate(d.file, size))
	for _, n := range m.nodes {
		if n.disk == d {
			n.size = size
		}
	}
	m.show()
}

// Attach attaches volumes, each under the next free name.
func (m *Machine) Attach(ids ...string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		m.names++
		d := m.disks[id]
		m.add(&node{name: fmt.Sprintf("nvme%dn1", m.names), disk: d, file: d.file, size: d.size, number: fmt.Sprintf("259:%d", m.names)})
	}
}

// Detach takes volumes away without a word to what stands on them.
func (m *Machine) Detach(ids ...string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		for _, n := range m.nodes {
			if n.disk != nil && n.disk.id == id {
				m.refill()
				m.flush()
				delete(m.nodes, n.name)
				m.hide(n)
			}
		}
	}
	m.show()
}

// Unreadable makes a volume one of which nothing can be read, or ends that.
func (m *Machine) Unreadable(id string, on bool) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disks[id].unreadable = on
	for _, n := range m.nodes {
		if n.disk == m.disks[id] {
			m.must(os.Remove(m.path("dev", n.name)))
			m.must(os.Symlink(m.disks[id].seen(m), m.path("dev", n.name)))
		}
	}
}

// seen is what the kernel finds where a volume is.
func (d *disk) seen(m *Machine) string {
	if d.unreadable {
		return unreadable(d.file, m.path("run"))
	}
	return readable(d.file)
}

// Sum changes with every byte of a volume.
func (m *Machine) Sum(id string) string {
	m.t.Helper()
	f, err := os.Open(m.disks[id].file)
	m.must(err)
	defer f.Close()
	var h maphash.Hash
	h.SetSeed(seed)
	b := make([]byte, 4096)
	m.must(extents(f, 0, m.disks[id].size, func(begin, end int64) error {
		for at := begin; at < end; at += int64(len(b)) {
			n, err := f.ReadAt(b, at)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if bytes.Count(b[:n], []byte{0}) < n {
				_, _ = fmt.Fprint(&h, at)
				_, _ = h.Write(b[:n])
			}
		}
		return nil
	}))
	return fmt.Sprintf("%x", h.Sum64())
}

var seed = maphash.MakeSeed()

// Disk returns the file that holds a volume's bytes.
func (m *Machine) Disk(id string) string { return m.disks[id].file }

// Missing takes a program away, or brings it back.
func (m *Machine) Missing(program string, gone bool) { m.missing[program] = gone }

// CutAfter has the power fail at the n-th step from now: the program that is at
// work stops there, and none runs after it. 0 takes that back.
func (m *Machine) CutAfter(n int) {
	m.steps, m.cutAt, m.cut = 0, n, false
}

// WasCut tells whether the power has failed.
func (m *Machine) WasCut() bool { return m.cut }

// Reboot starts the machine anew: arrays, mappings and mounts are gone, and
// volumes get other names than before.
func (m *Machine) Reboot() {
	m.t.Helper()
	m.mu.Lock()
	if m.cut {
		m.lose()
	} else {
		m.settle()
	}
	var ids []string
	for _, n := range m.nodes {
		if n.disk != nil {
			ids = append(ids, n.disk.id)
		}
		m.hide(n)
	}
	for _, dir := range []string{"dev/mapper", "dev/md"} {
		m.must(os.RemoveAll(m.path(dir)))
		m.must(os.MkdirAll(m.path(dir), 0o755))
	}
	m.nodes, m.mounts, m.names, m.cut, m.cutAt = map[string]*node{}, nil, 0, false, 0
	m.writeMounts()
	m.mu.Unlock()
	slices.Sort(ids)
	if m.seq%2 == 0 {
		slices.Reverse(ids)
	}
	m.Attach(ids...)
}

// settle writes everything to the disks, as a shutdown does.
func (m *Machine) settle() {
	m.refill()
	for _, n := range m.nodes {
		if n.crypt != nil && n.crypt.pending {
			m.must(n.crypt.flush(n))
		}
	}
	m.flush()
}

// lose is what a power cut does: half of what nobody has synced is gone.
func (m *Machine) lose() {
	m.refill()
	ids := slices.Sorted(maps.Keys(m.disks))
	for _, id := range ids {
		lose(m.disks[id].file, func() bool { return m.chance.IntN(2) == 0 })
	}
}

// identify answers like an EBS controller: the third volume of a machine was
// asked for as /dev/sdh.
func (m *Machine) identify(path string) ([]byte, error) {
	page := make([]byte, 4096)
	binary.LittleEndian.PutUint16(page, 0x1d0f)
	n := m.find(path)
	if n == nil || n.disk == nil {
		return nil, fmt.Errorf("%s is gone", path)
	}
	ids := make([]string, 0, len(m.disks))
	for id := range m.disks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	copy(page[3072:], fmt.Sprintf("%-32s", "/dev/sd"+string(rune('f'+slices.Index(ids, n.disk.id)))))
	return page, nil
}

// find returns the device that a path names, through links.
func (m *Machine) find(path string) *node {
	if base := filepath.Dir(path); strings.HasSuffix(base, "/mapper") || strings.HasSuffix(base, "/dev/md") {
		to, err := os.Readlink(m.path("dev", filepath.Base(base), filepath.Base(path)))
		if err != nil {
			return nil
		}
		path = to
	}
	return m.nodes[filepath.Base(path)]
}

// Blank zeroes a volume.
func (m *Machine) Blank(id string) {
	m.t.Helper()
	d := m.disks[id]
	m.must(errors.Join(os.Truncate(d.file, 0), os.Truncate(d.file, d.size)))
}

// Overwrite makes one volume a copy of another, as one restored from its
// snapshot would be.
func (m *Machine) Overwrite(from, to string) {
	m.t.Helper()
	src, dst := m.disks[from], m.disks[to]
	m.Blank(to)
	m.must(copyData(dst.file, 0, src.file, 0, src.size, 0))
}
