package fakehost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bootswain/internal/run"
)

// mounted is one mount.
type mounted struct {
	what, where, kind, number string
	options                   []string
}

// Mount mounts a device, as a mount unit would.
func (m *Machine) Mount(_ context.Context, what, where, kind string, options []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Commands = append(m.Commands, fmt.Sprintf("mount %s %s", what, where))
	if err := m.step(); err != nil {
		return err
	}
	n := m.find(what)
	if n == nil {
		return fmt.Errorf("%s does not exist", what)
	}
	for _, mt := range m.mounts {
		if mt.where == where && mt.number == n.number {
			return nil
		}
	}
	if kind == "xfs" && (string(get(n.file, 0, 4)) != "XFSB" || get(n.file, 126, 1)[0] != 0) {
		return fmt.Errorf("mount: %s: wrong fs type, bad superblock", what)
	}
	if _, err := os.Stat(filepath.Join(m.Root(), where)); err != nil {
		return err
	}
	if kind == "ext4" && fsUUID(n.file, 0) == "" {
		return fmt.Errorf("mount: %s: wrong fs type, bad superblock", what)
	}
	if n.crypt != nil && n.crypt.plain {
		m.used[fsUUID(n.file, 0)] = true
	}
	m.mounts = append(m.mounts, mounted{what, where, kind, n.number, options})
	m.writeMounts()
	return nil
}

// Unmount ends the mount at a place.
func (m *Machine) Unmount(_ context.Context, where string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Commands = append(m.Commands, "umount "+where)
	if err := m.step(); err != nil {
		return err
	}
	return m.unmount(where)
}

func (m *Machine) unmount(where string) error {
	i := slices.IndexFunc(m.mounts, func(mt mounted) bool { return mt.where == where })
	if i < 0 {
		return nil
	}
	m.mounts = slices.Delete(m.mounts, i, i+1)
	m.writeMounts()
	return nil
}

func (m *Machine) umount(c run.Cmd, words []string) error {
	if len(words) != 1 {
		return exit(c, 1, "bad usage")
	}
	return m.unmount(words[0])
}

// writeMounts writes mountinfo.
func (m *Machine) writeMounts() {
	lines := []string{"20 1 259:0 / / rw - ext4 /dev/root rw"}
	for i, mt := range m.mounts {
		lines = append(lines, fmt.Sprintf("%d 20 %s / %s rw,%s - %s %s rw", 30+i, mt.number, mt.where, strings.Join(mt.options, ","), mt.kind, mt.what))
	}
	m.must(os.WriteFile(m.path("proc/self/mountinfo"), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// SetImmutable notes the directories that are made immutable.
func (m *Machine) SetImmutable(dir string, on bool) error {
	if !on {
		return errors.New("nobody should write into a bare mount point")
	}
	m.Immutable = append(m.Immutable, dir)
	return nil
}

// MountForeign mounts something that is not a volume at a place.
func (m *Machine) MountForeign(where string) {
	m.mounts = append(m.mounts, mounted{"/dev/other", where, "ext4", "8:1", nil})
	m.writeMounts()
}

// rowAt is where rows are on a file system.
const rowAt = 256 << 10

// Store writes a row into a mounted volume, and Load reads it.
func (m *Machine) Store(where, row string) {
	m.t.Helper()
	m.refill()
	n := m.mountedNode(where)
	if n.crypt != nil {
		n.crypt.pending = true
	}
	m.must(put(n.file, rowAt, []byte(fmt.Sprintf("%-64s", row))))
	for _, n := range m.nodes {
		if n.array != nil && !m.whole(n) {
			n.array.broken = true
		}
	}
	m.flush()
	m.show()
}

// Load returns the row that Store wrote.
func (m *Machine) Load(where string) string {
	m.t.Helper()
	return strings.TrimRight(string(get(m.mountedNode(where).file, rowAt, 64)), " \x00")
}

// mountedOn returns what is mounted at a place, or nil.
func (m *Machine) mountedOn(where string) *node {
	for _, mt := range m.mounts {
		if mt.where == where {
			for _, n := range m.nodes {
				if n.number == mt.number {
					return n
				}
			}
		}
	}
	return nil
}

func (m *Machine) mountedNode(where string) *node {
	m.t.Helper()
	if n := m.mountedOn(where); n != nil {
		return n
	}
	m.t.Fatalf("nothing of ours is mounted on %s:\n%s", where, m)
	return nil
}
