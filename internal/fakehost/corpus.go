package fakehost

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"

	"bootswain/internal/corpus"
)

// Foreign makes a volume with what others have put on a device, and attaches it.
// The model's wipefs says of it what the real one said.
func (m *Machine) Foreign(d *corpus.Device, id string) {
	m.t.Helper()
	m.Create(d.Size, id)
	f, err := os.OpenFile(m.Disk(id), os.O_RDWR, 0)
	m.must(err)
	m.must(d.WriteTo(f))
	m.must(f.Close())
	var answer struct{ Signatures []signature }
	m.must(json.Unmarshal(d.Wipefs, &answer))
	for i := range answer.Signatures {
		s := &answer.Signatures[i]
		s.at, err = strconv.ParseInt(s.Offset, 0, 64)
		m.must(err)
		s.bytes = signed
	}
	m.disks[id].signed = answer.Signatures
}

// signed is how many bytes of a recorded signature count: as long as one of them
// is there, so is the signature.
const signed = 8

// still returns the recorded signatures that are there.
func still(file string, recorded []signature) []signature {
	var left []signature
	for _, s := range recorded {
		if !bytes.Equal(get(file, s.at, signed), make([]byte, signed)) {
			left = append(left, s)
		}
	}
	return left
}

// ReadOnly has the kernel refuse to write to a volume, or ends that.
func (m *Machine) ReadOnly(id string, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disks[id].readOnly = on
	m.show()
}

// MountDisk mounts the file system that is on a volume itself.
func (m *Machine) MountDisk(id, where string) {
	for _, n := range m.nodes {
		if n.disk != nil && n.disk.id == id {
			m.mounts = append(m.mounts, mounted{"/dev/" + n.name, where, "ext4", n.number, nil})
		}
	}
	m.writeMounts()
}
