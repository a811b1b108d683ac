package fakehost

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bootswain/raid"
)

// add makes a device appear. Its node in /dev is a link to the file with its
// bytes.
func (m *Machine) add(n *node) {
	m.nodes[n.name], n.shown = n, map[string]string{}
	file := n.file
	if n.disk != nil {
		file = n.disk.seen(m)
	}
	m.must(os.Symlink(file, m.path("dev", n.name)))
	m.seq++
	m.attribute(n, "diskseq", strconv.FormatUint(m.seq, 10))
	m.attribute(n, "dev", n.number)
	m.attribute(n, "hidden", "0")
	m.attribute(n, "queue/physical_block_size", "4096")
	if n.disk != nil {
		m.attribute(n, "device/serial", strings.Replace(n.disk.id, "vol-", "vol", 1))
		m.attribute(n, "device/model", n.disk.model())
	}
	if n.array != nil {
		m.attribute(n, "md/raid_disks", strconv.Itoa(n.array.disks))
		m.attribute(n, "md/chunk_size", strconv.FormatInt(n.array.chunk, 10))
	}
	if n.crypt != nil {
		m.attribute(n, "dm/name", n.crypt.name)
		m.attribute(n, "dm/uuid", n.crypt.dmUUID())
	}
	m.show()
}

// remove makes an array or a mapping disappear.
func (m *Machine) remove(n *node) {
	delete(m.nodes, n.name)
	m.hide(n)
	m.must(os.Remove(n.file))
	for _, dir := range []string{"mapper", "md"} {
		links, _ := filepath.Glob(m.path("dev", dir, "*"))
		for _, l := range links {
			if to, _ := os.Readlink(l); filepath.Base(to) == n.name {
				m.must(os.Remove(l))
			}
		}
	}
	m.show()
}

// hide takes a device out of /sys and /dev.
func (m *Machine) hide(n *node) {
	m.must(os.RemoveAll(m.path("sys/block", n.name)))
	m.must(os.Remove(m.path("dev", n.name)))
}

func (m *Machine) attribute(n *node, name, text string) {
	if n.shown[name] == text {
		return
	}
	n.shown[name] = text
	path := m.path("sys/block", n.name, name)
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	m.must(os.WriteFile(path, []byte(text+"\n"), 0o644))
}

// show writes of sysfs what changes.
func (m *Machine) show() {
	for _, n := range m.nodes {
		m.attribute(n, "size", strconv.FormatInt(n.size/512, 10))
		readOnly := "0"
		if n.disk != nil && n.disk.readOnly {
			readOnly = "1"
		}
		m.attribute(n, "ro", readOnly)
		if n.array != nil {
			m.attribute(n, "md/array_state", m.arrayState(n))
		}
		m.links(n, "slaves", n.below)
		m.links(n, "holders", m.holders(n.name))
	}
}

// links writes a directory of links; here they are empty files.
func (m *Machine) links(n *node, dir string, names []string) {
	text := strings.Join(names, " ")
	if was, there := n.shown[dir]; there && was == text {
		return
	}
	n.shown[dir] = text
	path := m.path("sys/block", n.name, dir)
	m.must(os.RemoveAll(path))
	m.must(os.MkdirAll(path, 0o755))
	for _, name := range names {
		m.must(os.WriteFile(filepath.Join(path, name), nil, 0o644))
	}
}

// whole tells whether all that a device stands on is there.
func (m *Machine) whole(n *node) bool {
	return !slices.ContainsFunc(n.below, func(b string) bool { return m.nodes[b] == nil })
}

// holders returns what stands on a device.
func (m *Machine) holders(name string) []string {
	var up []string
	for _, n := range m.nodes {
		if slices.Contains(n.below, name) {
			up = append(up, n.name)
		}
	}
	slices.Sort(up)
	return up
}

func (m *Machine) arrayState(n *node) string {
	if !n.array.started {
		return raid.StateInactive
	}
	if n.array.broken {
		return raid.StateBroken
	}
	return "clean"
}

// String renders the machine: what stands on what, and what is mounted.
func (m *Machine) String() string {
	var lines []string
	for _, n := range m.nodes {
		line := n.name
		switch {
		case n.disk != nil:
			line = n.disk.id
		case n.array != nil:
			line = fmt.Sprintf("array %s (%s) of %s", n.array.name, m.arrayState(n), strings.Join(m.labels(n.below), " "))
		case n.crypt != nil:
			line = fmt.Sprintf("mapping %s on %s", n.crypt.name, strings.Join(m.labels(n.below), " "))
		}
		lines = append(lines, line)
	}
	for _, mt := range m.mounts {
		lines = append(lines, fmt.Sprintf("mount %s on %s", mt.what, mt.where))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// labels names devices as String does: by what they are, not by their number.
func (m *Machine) labels(names []string) []string {
	var list []string
	for _, name := range names {
		switch n := m.nodes[name]; {
		case n == nil:
			list = append(list, "nothing")
		case n.disk != nil:
			list = append(list, n.disk.id)
		case n.array != nil:
			list = append(list, n.array.name)
		}
	}
	return list
}
