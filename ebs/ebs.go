// Package ebs finds EBS volumes, and the machine's own disks, among the kernel's
// block devices: which device is which volume, whether it is still the same one
// a moment later, and when devices come and go. And it asks EC2 which volumes
// there are, and to attach, make and tag them.
//
// It reads sysfs, asks a controller to identify itself, and listens to the
// kernel; EC2 is what the type of that name asks, and nothing else does. It
// never writes to a device, and never has EC2 delete anything. Sizes are bytes.
// Errors name the device; a device that goes away while it is being read is
// left out, as if it had gone a moment earlier.
package ebs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Host is where block devices are looked up.
type Host struct {
	Sys string // "/sys"
	Dev string // "/dev"

	// Identify returns the page that the NVMe controller behind a device node
	// answers to Identify Controller; nil asks the device itself.
	Identify func(path string) ([]byte, error)

	// LogPage returns the page with which EBS says how a volume did; nil asks the
	// device itself. ErrNoPerformance says that it has none.
	LogPage func(path string) ([]byte, error)

	Xen *Xen // what is known of a Xen instance's disks; nil: nothing
}

// Device is an EBS volume, or a disk of instance storage, as the kernel shows it.
type Device struct {
	VolumeID   string   // "vol-0a1b…"; of instance storage its serial, "AWS22D9…"; of a stranger its name
	Stranger   bool     // a Xen instance's, and nobody said what it is
	Name       string   // the kernel's name, "nvme1n1"
	Path       string   // device node, "/dev/nvme1n1"
	Number     string   // "major:minor"
	Model      string   // "Amazon Elastic Block Store"
	Serial     string   // as the controller gives it, "vol0a1b…"; on Xen there is none
	Size       int64    // bytes
	Diskseq    uint64   // grows with every disk the kernel meets; 0 before Linux 5.15
	ReadOnly   bool     // the kernel refuses writes
	Holders    []string // kernel names of the md and dm devices on it
	Partitions []string // kernel names of its partitions
}

// instanceStore is the model of disks that lose their content when the
// instance stops (EC2 user guide, "instance store").
const instanceStore = "Amazon EC2 NVMe Instance Storage"

var (
	namespace    = regexp.MustCompile(`^nvme[0-9]+n[0-9]+$`)
	volumeSerial = regexp.MustCompile(`^vol-?([0-9a-f]{8,17})$`)
	// On EC2 the model says what a disk is; an emulator that has a model of its
	// own gives instance storage away by the form of its serials.
	storeSerial = regexp.MustCompile(`^AWS[0-9A-Fa-f]{17}$`)
)

// VolumeID returns the volume id that an NVMe serial number stands for, or ""
// if it is no EBS volume's. EBS leaves the dash out.
func VolumeID(serial string) string {
	m := volumeSerial.FindStringSubmatch(serial)
	if m == nil {
		return ""
	}
	return "vol-" + m[1]
}

// Devices returns the attached EBS volumes in the order of their kernel names.
// It leaves out instance store, disks whose serial is no volume id, partitions,
// and the hidden paths behind a multipath device, which carry the same serial.
// It asks none under which name it was attached. Strangers are none of them.
func (h Host) Devices() ([]Device, error) {
	devs, err := h.volumes(func(string) bool { return true })
	return slices.DeleteFunc(devs, func(d Device) bool { return d.Stranger }), err
}

// volumes returns the attached EBS volumes that are wanted by their ids, and a
// Xen instance's that may be one. Of the others it reads the serial and nothing
// else.
func (h Host) volumes(wanted func(id string) bool) ([]Device, error) {
	names, err := h.names()
	if err != nil {
		return nil, err
	}
	xen, err := h.xenDisks(names)
	if err != nil {
		return nil, err
	}
	xen = slices.DeleteFunc(xen, func(d Device) bool { return isStore(d) || !d.Stranger && !wanted(d.VolumeID) })
	devs, err := h.nvmes(names, func(name, serial string) (*Device, error) {
		id := VolumeID(serial)
		if id == "" || !wanted(id) {
			return nil, nil
		}
		d, err := h.device(name, serial)
		if d == nil || d.Model == instanceStore {
			return nil, err
		}
		d.VolumeID = id
		return d, err
	})
	return append(devs, xen...), err
}

// InstanceStore returns the disks of instance storage in the order of their
// serials, or on Xen of EC2's numbers, which stay the same for as long as the
// machine has these disks.
func (h Host) InstanceStore() ([]Device, error) {
	names, err := h.names()
	if err != nil {
		return nil, err
	}
	devs, err := h.nvmes(names, func(name, serial string) (*Device, error) {
		d, err := h.device(name, serial)
		if d == nil || d.Model != instanceStore && !storeSerial.MatchString(serial) {
			return nil, err
		}
		d.VolumeID = serial
		return d, err
	})
	if err != nil {
		return nil, err
	}
	xen, err := h.xenDisks(names)
	devs = append(devs, slices.DeleteFunc(xen, func(d Device) bool { return !isStore(d) })...)
	slices.SortFunc(devs, func(a, b Device) int { return strings.Compare(a.VolumeID, b.VolumeID) })
	return devs, err
}

// names returns the kernel's names of all block devices but partitions.
func (h Host) names() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(h.Sys, "block"))
	if err != nil {
		return nil, fmt.Errorf("cannot list block devices: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// nvmes returns what look makes of each NVMe disk; nil leaves it out.
func (h Host) nvmes(names []string, look func(name, serial string) (*Device, error)) ([]Device, error) {
	return h.disks(names, namespace, func(name string) (*Device, error) {
		serial, err := attribute(h.dir(name), "device/serial")
		if err != nil {
			return nil, err
		}
		return look(name, serial)
	})
}

// disks returns what look makes of each device with a name of that form; nil
// leaves it out.
func (h Host) disks(names []string, form *regexp.Regexp, look func(name string) (*Device, error)) ([]Device, error) {
	var devs []Device
	for _, name := range names {
		if !form.MatchString(name) {
			continue
		}
		d, err := look(name)
		switch {
		case gone(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("cannot read what %s is: %w", name, err)
		case d == nil:
			continue
		}
		devs = append(devs, *d)
	}
	return devs, nil
}

func (h Host) dir(name string) string { return filepath.Join(h.Sys, "block", name) }

// gone tells whether err says that a device went away: its directory in sysfs
// is missing, or its attributes answer so.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO)
}

// device reads the attributes of a disk, or returns nil for a hidden one. Without a
// serial it has no model either.
func (h Host) device(name, serial string) (*Device, error) {
	dir := h.dir(name)
	if hidden, err := number(dir, "hidden"); err != nil || hidden == 1 {
		return nil, err
	}
	d := &Device{Name: name, Path: filepath.Join(h.Dev, name), Serial: serial}
	var err error
	if d.Model, err = attribute(dir, "device/model"); err != nil && serial != "" {
		return nil, err
	}
	if d.Number, err = attribute(dir, "dev"); err != nil {
		return nil, err
	}
	sectors, err := number(dir, "size")
	if err != nil {
		return nil, err
	}
	d.Size = int64(sectors) * 512 // sysfs counts 512-byte sectors whatever the disk's own are
	if d.Diskseq, err = number(dir, "diskseq"); err != nil {
		return nil, err
	}
	ro, err := number(dir, "ro")
	if err != nil {
		return nil, err
	}
	d.ReadOnly = ro == 1
	d.Holders, d.Partitions, err = users(dir)
	return d, err
}

// users returns what stands on a disk: its holders and its partitions.
func users(dir string) (holders, partitions []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, "holders"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, e := range entries {
		holders = append(holders, e.Name())
	}
	entries, err = os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(dir)) { // "nvme1n1p1" in "nvme1n1"
			partitions = append(partitions, e.Name())
		}
	}
	return holders, partitions, nil
}

// attribute reads one sysfs attribute without the padding around it.
func attribute(dir, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(b)), err
}

// number reads a numeric sysfs attribute; one that this kernel does not have
// counts as 0, as long as the disk itself is there.
func number(dir, name string) (uint64, error) {
	s, err := attribute(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return 0, err
		}
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("attribute %s is %q, not a number", name, s)
	}
	return n, nil
}
