package ebs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"bootswain/internal/situation"
)

// Claim attaches the volumes of one set to this instance, all or none, and says
// in situations what keeps it from that. It does nothing about volumes that are
// attached to others, and does not wait for the kernel to see what was
// attached: which volumes are missing shows there.
//
// EC2 cannot change tags only if nobody else did, so tags are no lock. But it
// attaches a volume to one instance alone, and that is one:
//
//	look ──► one is attached elsewhere ──► take nothing
//	 │
//	 └► attach the first ──► lost it ──► take nothing
//	         │
//	         └► attach the next … ──► lost it ──► give back what was taken, the first last
//	                   │
//	                   └► all
//
// All claimants take in the order of the ids and give back against it, so who
// has any has the first, and who lost the first has none. Only somebody who
// attaches by hand can win a later one.
func (c *EC2) Claim(ctx context.Context, set []Volume) error {
	for _, v := range set {
		if v.MultiAttach {
			return refused("name volumes without Multi-Attach, or attach them by hand and name their ids",
				"%s is Multi-Attach: EC2 would let two instances write to it at once; not attached", v.ID)
		}
	}
	set = slices.SortedFunc(slices.Values(set), func(a, b Volume) int { return strings.Compare(a.ID, b.ID) })
	var want []string
	for _, v := range set {
		switch here := v.at(c.Instance); {
		case v.elsewhere(c.Instance) != nil:
			return c.release(ctx, c.taken(set))
		case here != nil && here.State == "detaching":
			return soon("%s is being detached from this instance", v.ID)
		case here == nil && v.State == "creating":
			return soon("%s is being made", v.ID)
		case here == nil && v.State != "available":
			return waiting("look at it in EC2; asked again by itself", "%s is in the state %s", v.ID, v.State)
		case here == nil:
			want = append(want, v.ID)
		}
	}
	if len(want) > 0 {
		if lost, err := c.attachAll(ctx, want); err != nil || lost {
			if !errors.Is(err, ErrUnsure) { // else what was taken is needed at the next try
				err = errors.Join(err, c.release(ctx, c.taken(set)))
			}
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range set {
		delete(c.took, v.ID)
	}
	return nil
}

// taken returns those of a set's volumes that were attached for it since it was
// last complete, in their order.
func (c *EC2) taken(set []Volume) (taken []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range set {
		if c.took[v.ID] {
			taken = append(taken, v.ID)
		}
	}
	return taken
}

// attachAll attaches volumes in their order. lost tells that somebody else was
// faster with one.
func (c *EC2) attachAll(ctx context.Context, want []string) (lost bool, err error) {
	free, err := c.freeNames(ctx)
	if err != nil {
		return false, err
	}
	for _, id := range want {
		if free, lost, err = c.attach(ctx, id, free); err != nil || lost {
			return lost, err
		}
	}
	return false, nil
}

// attach attaches one volume under the first of the free names that EC2 takes,
// and returns the names that are left.
func (c *EC2) attach(ctx context.Context, id string, free []string) (left []string, lost bool, err error) {
	for len(free) > 0 {
		in := &ec2.AttachVolumeInput{VolumeId: aws.String(id), InstanceId: aws.String(c.Instance), Device: aws.String(free[0])}
		free = free[1:]
		c.mark(id, true) // before it is true: an answer may be lost
		_, err := call(ctx, c, "AttachVolume", c.api.AttachVolume, in)
		switch {
		case err == nil:
			return free, false, nil
		case errors.Is(err, ErrUnsure):
			return free, false, err
		case code(err) == "InvalidParameterValue" && strings.Contains(err.Error(), "already in use"):
			continue // a device that EC2 does not list as a volume has that name
		}
		if taken := code(err); taken != "VolumeInUse" && taken != "IncorrectState" {
			c.mark(id, false)
			return free, false, err
		}
		// By this instance, perhaps: the SDK repeats what was not answered.
		now, err := c.Volumes(ctx, []string{id})
		if err != nil {
			return free, false, err
		}
		lost = len(now) != 1 || now[0].at(c.Instance) == nil
		if lost {
			c.mark(id, false)
		}
		return free, lost, nil
	}
	return nil, false, &situation.Situation{Word: situation.Failed, Text: "this instance has no device name left for " + id + ".", Next: "detach volumes that it does not need"}
}

func (c *EC2) mark(id string, taken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.took, id); taken {
		c.took[id] = true
	}
}

// release gives back volumes that were taken, the first last. It goes on when
// ctx has ended: half a set keeps another from being whole.
func (c *EC2) release(ctx context.Context, taken []string) error {
	for _, id := range slices.Backward(taken) {
		in := &ec2.DetachVolumeInput{VolumeId: aws.String(id), InstanceId: aws.String(c.Instance)}
		_, err := call(context.WithoutCancel(ctx), c, "DetachVolume", c.api.DetachVolume, in)
		if err != nil && !isDetached(err) {
			return err
		}
		c.mark(id, false)
	}
	return nil
}

// isDetached tells whether a volume could not be detached because it is
// attached no more.
func isDetached(err error) bool {
	return slices.Contains([]string{"IncorrectState", "InvalidAttachment.NotFound", "InvalidVolume.NotFound"}, code(err))
}

// freeNames returns the device names that EC2 recommends for EBS volumes, and
// then the others that it takes, without those in use here. EC2 tells names
// apart by their letters: /dev/sdf and /dev/xvdf are one (EC2 user guide,
// "Device names for volumes").
func (c *EC2) freeNames(ctx context.Context) (free []string, err error) {
	have, err := c.volumes(ctx, filter("attachment.instance-id", c.Instance))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, v := range have {
		if a := v.at(c.Instance); a != nil {
			name := strings.TrimPrefix(deviceName(a.Device), "/dev/")
			used[strings.TrimPrefix(strings.TrimPrefix(name, "xvd"), "sd")] = true
		}
	}
	for l := 'f'; l <= 'p'; l++ {
		if !used[string(l)] {
			free = append(free, fmt.Sprintf("/dev/sd%c", l))
		}
	}
	for _, first := range "bcd" {
		for l := 'a'; l <= 'z'; l++ {
			if letters := string([]rune{first, l}); !used[letters] {
				free = append(free, "/dev/xvd"+letters)
			}
		}
	}
	return free, nil
}
