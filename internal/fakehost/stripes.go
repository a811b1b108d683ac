package fakehost

import (
	"os"
	"slices"
)

// fill copies what the members hold to the array's own file.
func (a *array) fill(n *node) error {
	now := a.versions()
	if slices.Equal(now, a.filled) {
		return nil
	}
	defer func() { a.filled, a.flushed = now, version(n.file) }()
	count := int64(len(a.members))
	for role, d := range a.members {
		f, err := os.Open(d.file)
		if err != nil {
			return err
		}
		err = extents(f, dataOffset, dataOffset+n.size/count, func(begin, end int64) error {
			return pieces(begin-dataOffset, end-dataOffset, a.chunk, func(at, size int64) error {
				to := (at/a.chunk*count+int64(role))*a.chunk + at%a.chunk
				return copyData(n.file, to, d.file, dataOffset+at, size, 0)
			})
		})
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// flush copies what the array's own file holds to the members that are there.
func (a *array) flush(n *node, there func(*disk) bool) error {
	now := version(n.file)
	if now == a.flushed {
		return nil
	}
	defer func() { a.filled, a.flushed = a.versions(), now }()
	count := int64(len(a.members))
	f, err := os.Open(n.file)
	if err != nil {
		return err
	}
	defer f.Close()
	return extents(f, 0, n.size, func(begin, end int64) error {
		return pieces(begin, end, a.chunk, func(at, size int64) error {
			d, chunk := a.members[at/a.chunk%count], at/a.chunk/count
			if !there(d) {
				return nil
			}
			return copyData(d.file, dataOffset+chunk*a.chunk+at%a.chunk, n.file, at, size, 0)
		})
	})
}

// versions is what tells whether a member has changed.
func (a *array) versions() []uint64 {
	list := make([]uint64, len(a.members))
	for i, d := range a.members {
		list[i] = version(d.file)
	}
	return list
}

// pieces cuts a range where chunks end.
func pieces(begin, end, chunk int64, do func(at, size int64) error) error {
	for at := begin; at < end; {
		size := min(end, (at/chunk+1)*chunk) - at
		if err := do(at, size); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// refill reads what arrays and mappings hold anew from what they stand on, since
// that may have been written to directly. What programs wrote to a mapping goes
// down instead, once it is synced.
func (m *Machine) refill() {
	for _, n := range m.nodes {
		if n.array != nil && n.array.started && m.whole(n) {
			m.must(n.array.fill(n))
		}
	}
	m.flush()
	for _, n := range m.nodes {
		if n.crypt != nil && !n.crypt.pending {
			m.must(n.crypt.fill(n))
		}
	}
}

// flush writes what mappings and arrays hold to what they stand on; what was
// written to a mapping and not synced waits.
func (m *Machine) flush() {
	for _, n := range m.nodes {
		if n.crypt != nil && n.crypt.pending && !unsynced(n.file) {
			m.must(n.crypt.flush(n))
		}
	}
	attached := func(d *disk) bool {
		for _, n := range m.nodes {
			if n.disk == d {
				return true
			}
		}
		return false
	}
	for _, n := range m.nodes {
		if n.array != nil && n.array.started {
			m.must(n.array.flush(n, attached))
		}
	}
}
