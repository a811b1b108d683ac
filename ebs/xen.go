package ebs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"bootswain/internal/situation"
)

// A Xen instance shows its disks as xvdf and the like, and they say neither
// which volume they are nor whether they are volumes at all. Only the name is
// known: who asked for /dev/sdf gets xvdf. EC2 knows which volume is attached
// under which name, and the metadata service which names are instance storage.

var xenDisk = regexp.MustCompile(`^xvd[a-z]{1,2}([1-9]|1[0-5])?$`) // whole disks, those too that are called like a partition

// Xen is what was learnt of a Xen instance's disks. What is known of a disk is
// known of that diskseq: another that takes its name is a stranger again. The
// zero Xen knows nothing and is ready for use, by several goroutines.
type Xen struct {
	mu    sync.Mutex
	known map[string]string // by name and diskseq: a volume id, or "ephemeral0"
	why   error             // why the strangers are that; nil: nobody was asked
}

func xenKey(d Device) string { return fmt.Sprintf("%s %d", d.Name, d.Diskseq) }

// xenName is the kernel's name of what was attached under a device name.
func xenName(name string) string {
	name = strings.TrimPrefix(name, "/dev/")
	if letters, scsi := strings.CutPrefix(name, "sd"); scsi {
		return "xvd" + letters
	}
	return name
}

// id returns what a disk is known to be; "" for a stranger.
func (x *Xen) id(d Device) string {
	if x == nil {
		return ""
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.known[xenKey(d)]
}

func (x *Xen) reason() error {
	if x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.why != nil {
			return x.why
		}
	}
	return errors.New("EC2 was not asked yet")
}

// Learn finds out what the disks are of which nothing is known. attached is
// volume ids, and stores "ephemeral0" and so on, by device names; each is asked
// only where there are such disks. Why one of them did not answer is kept for the
// sentences about these disks.
//
// The disks are looked at before anybody is asked: an answer is of the disk that
// was there then, or it is of one that came later and has another diskseq.
func (h Host) Learn(ctx context.Context, attached, stores func(context.Context) (map[string]string, error)) {
	strangers := h.Strangers()
	if h.Xen == nil || len(strangers) == 0 {
		return
	}
	known := map[string]string{}
	var why error
	for _, ask := range []func(context.Context) (map[string]string, error){attached, stores} {
		answer, err := ask(ctx)
		if s := situation.Of(err); s != nil {
			err = errors.New(strings.TrimSuffix(s.Text, "."))
		}
		if why == nil {
			why = err
		}
		for name, id := range answer {
			known[xenName(name)] = id
		}
	}
	if root, ok := known["xvda1"]; ok && known["xvda"] == "" {
		known["xvda"] = root // a machine with hardware virtualisation shows its root, /dev/sda1, so
	}
	h.Xen.mu.Lock()
	defer h.Xen.mu.Unlock()
	if h.Xen.known == nil {
		h.Xen.known = map[string]string{}
	}
	h.Xen.why = why
	for _, d := range strangers {
		switch id := known[d.Name]; {
		case id != "" && d.Diskseq == 0:
			h.Xen.why = errors.New("this kernel, older than 5.15, numbers no disks, so that nobody would notice another in its place")
		case id != "":
			h.Xen.known[xenKey(d)] = id
		case why == nil:
			h.Xen.why = errors.New("EC2 has nothing attached under its name")
		}
	}
}

// Strangers returns a Xen instance's disks of which nothing is known.
func (h Host) Strangers() []Device {
	names, err := h.names()
	if err != nil {
		return nil // whoever looks at a volume will say so
	}
	all, _ := h.xenDisks(names)
	return slices.DeleteFunc(all, func(d Device) bool { return !d.Stranger })
}

// xenDisks returns a Xen instance's disks, in the order of their names.
func (h Host) xenDisks(names []string) ([]Device, error) {
	return h.disks(names, xenDisk, func(name string) (*Device, error) {
		d, err := h.device(name, "")
		if d == nil {
			return nil, err
		}
		if d.VolumeID = h.Xen.id(*d); d.VolumeID == "" {
			d.VolumeID, d.Stranger = d.Name, true
		}
		return d, err
	})
}

// isStore tells whether a disk of a Xen instance is instance storage.
func isStore(d Device) bool { return strings.HasPrefix(d.VolumeID, "ephemeral") }

// Attached returns the volumes that EC2 has attached to this instance, by the
// device names that were asked for.
func (c *EC2) Attached(ctx context.Context) (map[string]string, error) {
	all, err := c.volumes(ctx, filter("attachment.instance-id", c.Instance))
	if err != nil {
		return nil, err
	}
	attached := map[string]string{}
	for _, v := range all {
		if a := v.at(c.Instance); a != nil && a.State == "attached" {
			attached[a.Device] = v.ID
		}
	}
	return attached, nil
}
