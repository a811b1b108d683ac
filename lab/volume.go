package lab

import (
	"path/filepath"
	"strings"

	"bootswain/lab/nbd"
)

// Volume is an EBS volume. Its content can be read and written from outside
// while it is attached to nothing.
type Volume struct {
	*nbd.Disk
	ID string // "vol-0…"

	owner *Machine // the one it is attached to, or nil; guarded by Lab.mu
}

// Volume makes a blank volume of this size.
func (l *Lab) Volume(size int64) (*Volume, error) {
	id := l.newID("vol")
	d, err := nbd.Open(filepath.Join(l.dir, id+".raw"), size)
	if err != nil {
		return nil, err
	}
	v := &Volume{Disk: d, ID: id}
	l.nbd.Add(id, d)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.volumes = append(l.volumes, v)
	return v, nil
}

// serial is how an EBS volume's NVMe controller gives its id: without the dash.
func (v *Volume) serial() string { return strings.Replace(v.ID, "-", "", 1) }

func (v *Volume) String() string { return v.ID }

func disks(volumes []*Volume) []*nbd.Disk {
	var all []*nbd.Disk
	for _, v := range volumes {
		all = append(all, v.Disk)
	}
	return all
}
