package ebs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// snapshot is a member of a snapshot set.
type snapshot struct {
	id   string
	role int
	of   int // members that the set has
}

// Restored returns the volumes that were made for this instance from a snapshot
// set, in the order of their roles; a situation where not all were made. It
// changes nothing.
func (c *EC2) Restored(ctx context.Context, set string) ([]Volume, error) {
	made, of, err := c.restored(ctx, set)
	if err == nil && (of == 0 || len(made) < of) {
		err = waiting("bootswain apply makes them, and so does the daemon", "not all volumes were made from the snapshots of %s for this instance", set)
	}
	return made, err
}

// restored returns also how many there are to be; 0 if none was made.
func (c *EC2) restored(ctx context.Context, set string) (made []Volume, of int, err error) {
	made, err = c.volumes(ctx, filter("tag:"+TagRestored, set), filter("tag:"+tagFor, c.Instance))
	if err != nil || len(made) == 0 {
		return nil, 0, err
	}
	slices.SortStableFunc(made, func(a, b Volume) int { return role(a) - role(b) })
	for i, v := range made {
		if n, err := strconv.Atoi(v.Tags[TagCount]); err == nil {
			of = n
		}
		if role(v) < 0 || i > 0 && role(made[i-1]) == role(v) {
			return nil, 0, refused("correct their tags", "%s say that they were made from %s for this instance, and not plainly which is which; nothing attached", strings.Join(ids(made), ", "), set)
		}
	}
	return made, of, nil
}

// role is a restored volume's place in the array, or -1.
func role(v Volume) int { return place(v.Tags[TagRole]) }

func place(tag string) int {
	n, err := strconv.Atoi(tag)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// Restore makes volumes from a snapshot set, once for this instance: those that
// were made before are found by their tags, and a request that was made before
// has the same client token, for which EC2 gives the same volume. It returns
// them in the order of their roles when none is being made any more.
func (c *EC2) Restore(ctx context.Context, set string) ([]Volume, error) {
	made, of, err := c.restored(ctx, set)
	if err != nil {
		return nil, err
	}
	if of == 0 || len(made) < of {
		return nil, c.make(ctx, set, made)
	}
	for _, v := range made {
		if v.State == "creating" {
			return nil, soon("%s is being made from %s", v.ID, v.Snapshot)
		}
	}
	return made, nil
}

// make asks for the volumes that are missing. It returns a situation in any
// case: a volume takes some seconds.
func (c *EC2) make(ctx context.Context, set string, made []Volume) error {
	snapshots, err := c.snapshots(ctx, set)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		if slices.ContainsFunc(made, func(v Volume) bool { return role(v) == s.role }) {
			continue
		}
		token := sha256.Sum256([]byte(strings.Join([]string{"bootswain restore", c.Instance, set, fmt.Sprint(s.role)}, "\x00")))
		_, err := call(ctx, c, "CreateVolume", c.api.CreateVolume, &ec2.CreateVolumeInput{
			AvailabilityZone: aws.String(c.Zone), SnapshotId: aws.String(s.id), VolumeType: types.VolumeTypeGp3,
			ClientToken: aws.String(hex.EncodeToString(token[:])), // 64 characters, the most that EC2 takes
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeVolume, Tags: []types.Tag{
				{Key: aws.String(TagRestored), Value: aws.String(set)}, {Key: aws.String(tagFor), Value: aws.String(c.Instance)},
				{Key: aws.String(TagRole), Value: aws.String(fmt.Sprint(s.role))}, {Key: aws.String(TagCount), Value: aws.String(fmt.Sprint(s.of))},
			}}},
		})
		if err != nil {
			return err
		}
	}
	return soon("%d volumes are being made from the snapshots of %s", len(snapshots), set)
}

// snapshots returns the members of a whole snapshot set in the order of their
// roles.
func (c *EC2) snapshots(ctx context.Context, set string) (all []snapshot, err error) {
	found, err := c.describeSnapshots(ctx, filter("tag:"+TagSet, set))
	if err != nil {
		return nil, err
	}
	for _, s := range found {
		if s.State == types.SnapshotStatePending {
			return nil, waiting("nothing; asked again by itself", "snapshot %s of %s is being taken, %s", aws.ToString(s.SnapshotId), set, aws.ToString(s.Progress))
		}
		tags := tagsOf(s.Tags)
		all = append(all, snapshot{aws.ToString(s.SnapshotId), place(tags[TagRole]), place(tags[TagCount])})
	}
	if len(all) == 0 {
		return nil, waiting("correct ebs.restore; asked again by itself", "no snapshot carries the tag %s=%s", TagSet, set)
	}
	slices.SortFunc(all, func(a, b snapshot) int { return a.role - b.role })
	for i, s := range all {
		if s.role != i || s.of != len(all) {
			return nil, refused("correct the tags "+TagRole+" and "+TagCount+" of its snapshots",
				"snapshot set %s is not whole: %s says that it is number %d of %d, and %d are there; nothing made", set, s.id, s.role+1, s.of, len(all))
		}
	}
	return all, nil
}
