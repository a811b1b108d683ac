package fakehost

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bootswain/internal/run"
	"bootswain/raid"
	"bootswain/raid/raidtest"
)

// dataOffset is where the data of an array begins on its members.
const dataOffset = 1 << 20

// array is what a striped array has beside its device.
type array struct {
	name    string
	uuid    string
	chunk   int64
	disks   int     // that it takes
	members []*disk // by role; nil while it did not start
	started bool
	filled  []uint64 // versions of the members that its file was read from
	flushed uint64   // version of its file that was written to them
	broken  bool     // the kernel has noticed that a member is lost, as it does when it next reaches for it
}

func (m *Machine) mdadm(c run.Cmd, options map[string]string, words []string) error {
	switch {
	case has(options, "--create"):
		return m.createArray(c, options, words)
	case has(options, "--assemble"):
		return m.assembleArray(c, options, words)
	case has(options, "--stop"):
		n := m.find(words[0])
		if n == nil {
			return exit(c, 1, "error opening %s: No such file or directory", words[0])
		}
		if m.busy(n) {
			return exit(c, 1, "Cannot get exclusive access to %s", words[0])
		}
		return m.all(func() error { m.flush(); m.remove(n); return nil })
	}
	return exit(c, 2, "unknown mode")
}

func has(options map[string]string, name string) bool { _, ok := options[name]; return ok }

func (m *Machine) createArray(c run.Cmd, options map[string]string, words []string) error {
	path, members := words[0], words[1:]
	chunk, _ := strconv.ParseInt(strings.TrimSuffix(options["--chunk"], "K"), 10, 64)
	a := &array{name: options["--homehost"] + ":" + options["--name"], uuid: options["--uuid"], chunk: chunk << 10, disks: len(members), started: true}
	var nodes []*node
	for _, p := range members {
		n, err := m.device(c, 1, p)
		if err != nil {
			return err
		}
		if m.busy(n) {
			return exit(c, 1, "cannot open %s: Device or resource busy", p)
		}
		if !has(options, "--run") && len(m.signatures(n.file, n.size)) > 0 {
			return exit(c, 1, "create aborted.")
		}
		nodes = append(nodes, n)
	}
	for role, n := range nodes {
		if err := m.step(); err != nil {
			return err
		}
		m.checkMember(n, "mdadm --create")
		sb := raid.Superblock{UUID: a.uuid, Name: a.name, RaidDisks: len(nodes), Role: role, ChunkBytes: a.chunk, DataOffset: dataOffset, DataSize: (n.size - dataOffset) / a.chunk * a.chunk}
		f, err := os.OpenFile(n.file, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = raidtest.WriteSuperblock(f, sb)
		f.Close()
		if err != nil {
			return err
		}
	}
	return m.all(func() error { return m.start(a, path, nodes) })
}

// start makes the array's device and fills it from the members.
func (m *Machine) start(a *array, path string, nodes []*node) error {
	size := (nodes[0].size - dataOffset) / a.chunk * a.chunk * int64(len(nodes))
	for i := 127; ; i-- {
		name := fmt.Sprintf("md%d", i)
		if m.nodes[name] != nil {
			continue
		}
		n := &node{name: name, file: m.path("run", name), size: size, number: fmt.Sprintf("9:%d", i), array: a}
		if err := os.WriteFile(n.file, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(n.file, size); err != nil {
			return err
		}
		for _, member := range nodes {
			n.below = append(n.below, member.name)
			a.members = append(a.members, member.disk)
		}
		if a.started {
			if err := a.fill(n); err != nil {
				return err
			}
		}
		m.add(n)
		_ = os.Remove(m.path("dev/md", filepath.Base(path)))
		return os.Symlink(filepath.Join("..", name), m.path("dev/md", filepath.Base(path)))
	}
}

func (m *Machine) assembleArray(c run.Cmd, options map[string]string, words []string) error {
	var a *array
	var nodes []*node
	for _, p := range words[1:] {
		n, err := m.device(c, 1, p)
		if err != nil {
			return err
		}
		if m.busy(n) {
			return exit(c, 2, "%s is busy - skipping", p)
		}
		sb := superblock(n)
		if sb == nil || sb.RFC() != raid.RFC(options["--uuid"]) {
			continue
		}
		if a == nil {
			a = &array{name: sb.Name, uuid: sb.UUID, chunk: sb.ChunkBytes, disks: sb.RaidDisks}
			nodes = make([]*node, sb.RaidDisks)
		}
		nodes[sb.Role] = n
	}
	if a == nil {
		return exit(c, 1, "no recogniseable superblock on %s", words[1])
	}
	if a.started = !slices.Contains(nodes, nil); a.started {
		return m.all(func() error { return m.start(a, words[0], nodes) })
	}
	nodes = slices.DeleteFunc(nodes, func(n *node) bool { return n == nil })
	if err := m.all(func() error { return m.start(a, words[0], nodes) }); err != nil {
		return err
	}
	return exit(c, 1, "%s assembled from %d drives - not enough to start the array.", words[0], len(nodes))
}

func superblock(n *node) *raid.Superblock {
	f, err := os.Open(n.file)
	if err != nil {
		return nil
	}
	defer f.Close()
	sb, err := raid.ReadSuperblock(f, n.size)
	if err != nil {
		return nil
	}
	return sb
}

// checkMember notes it if a member of a ready set is written over.
func (m *Machine) checkMember(n *node, by string) {
	sb := superblock(n)
	if sb == nil {
		m.checkHeader(n.file, 0, n.disk.id, by)
		return
	}
	for _, d := range m.disks {
		other := superblock(&node{file: d.file, size: d.size})
		if other != nil && other.UUID == sb.UUID && other.Role == 0 {
			m.checkHeader(d.file, other.DataOffset, d.id, by)
		}
	}
}
