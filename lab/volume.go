package lab

import (
	"strings"

	"bootswain/lab/ec2"
	"bootswain/lab/nbd"
)

// Volume is an EBS volume, or a disk of instance storage. Its content can be read and written from outside
// while it is attached to nothing.
type Volume struct {
	*nbd.Disk
	ID string // "vol-0…"; of instance storage its serial, "AWS0…"

	owner *Machine // the one it is attached to, or nil; guarded by Lab.mu
}

// Volume makes a blank volume of this size.
func (l *Lab) Volume(size int64) (*Volume, error) {
	v, err := l.volume(l.newID("vol"), size)
	if err == nil {
		l.EC2.AddVolume(ec2.Volume{ID: v.ID, Zone: zone, Size: gib(size)})
	}
	return v, err
}

// InstanceStore makes a blank disk of instance storage. It is known by the form of
// its serial number: QEMU has one model for all NVMe devices. Unlike on EC2 it
// keeps its bytes until the laboratory is closed, whatever machine it is given to.
func (l *Lab) InstanceStore(size int64) (*Volume, error) {
	_, digits, _ := strings.Cut(l.newID("store"), "-")
	return l.volume("AWS"+strings.ToUpper(digits), size)
}

func (l *Lab) volume(id string, size int64) (*Volume, error) {
	d, err := nbd.Open(l.path(id+".raw"), size)
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

// serial is how an NVMe controller gives the id: an EBS volume's without the dash.
func (v *Volume) serial() string { return strings.Replace(v.ID, "-", "", 1) }

func (v *Volume) String() string { return v.ID }

func disks(volumes []*Volume) []*nbd.Disk {
	var all []*nbd.Disk
	for _, v := range volumes {
		all = append(all, v.Disk)
	}
	return all
}
