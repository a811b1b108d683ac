package ebs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Volume is a volume as EC2 knows it.
type Volume struct {
	ID          string
	Zone        string
	State       string // "creating", "available", "in-use", "error"
	Snapshot    string // that it was made from; "" means that nothing but zeros was on it at first
	Size        int32  // GiB
	Created     time.Time
	MultiAttach bool // several instances may have it at once
	Tags        map[string]string
	Attachments []Attachment
}

// Attachment is a volume at an instance.
type Attachment struct {
	Instance string
	Device   string // requested name, "/dev/sdf"
	State    string // "attaching", "attached", "detaching", "busy"
	Ends     bool   // EC2 deletes the volume when it terminates the instance
}

// pageSize is how many volumes or snapshots one answer may list.
const pageSize = 500

// Volumes returns what EC2 knows of these volumes, in the order of their ids.
// Those that it does not know are left out.
func (c *EC2) Volumes(ctx context.Context, ids []string) ([]Volume, error) {
	return c.volumes(ctx, filter("volume-id", ids...))
}

func (c *EC2) volumes(ctx context.Context, filters ...types.Filter) (all []Volume, err error) {
	in := &ec2.DescribeVolumesInput{Filters: filters, MaxResults: aws.Int32(pageSize)}
	for {
		out, err := call(ctx, c, "DescribeVolumes", c.api.DescribeVolumes, in)
		if err != nil {
			return nil, err
		}
		for _, v := range out.Volumes {
			if v.State != types.VolumeStateDeleting && v.State != types.VolumeStateDeleted {
				all = append(all, volumeOf(v))
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b Volume) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func volumeOf(v types.Volume) Volume {
	out := Volume{
		ID: aws.ToString(v.VolumeId), Zone: aws.ToString(v.AvailabilityZone), State: string(v.State),
		Snapshot: aws.ToString(v.SnapshotId), Size: aws.ToInt32(v.Size), Created: aws.ToTime(v.CreateTime), MultiAttach: aws.ToBool(v.MultiAttachEnabled), Tags: tagsOf(v.Tags),
	}
	for _, a := range v.Attachments {
		if a.State != types.VolumeAttachmentStateDetached {
			out.Attachments = append(out.Attachments, Attachment{aws.ToString(a.InstanceId), aws.ToString(a.Device), string(a.State), aws.ToBool(a.DeleteOnTermination)})
		}
	}
	return out
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

func tagsOf(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

// at returns the volume's attachment to an instance, or nil.
func (v Volume) at(instance string) *Attachment {
	for i := range v.Attachments {
		if v.Attachments[i].Instance == instance {
			return &v.Attachments[i]
		}
	}
	return nil
}

// elsewhere returns the attachment that keeps an instance from having the
// volume, or nil.
func (v Volume) elsewhere(instance string) *Attachment {
	for i := range v.Attachments {
		if v.Attachments[i].Instance != instance {
			return &v.Attachments[i]
		}
	}
	return nil
}

// Place is where a volume is that is not here.
type Place struct {
	Words string // "attached to i-0old, shutting-down"
	Moves bool   // it is on its way, and nobody has to do anything
}

// Where says where EC2 has volumes that are not here.
func (c *EC2) Where(ctx context.Context, ids []string) (map[string]Place, error) {
	all, err := c.Volumes(ctx, ids)
	if err != nil {
		return nil, err
	}
	states := c.instanceStates(ctx, all)
	where := map[string]Place{}
	for _, id := range ids {
		where[id] = Place{Words: "no such volume"}
	}
	for _, v := range all {
		where[v.ID] = c.where(v, states)
	}
	return where, nil
}

func (c *EC2) where(v Volume, states map[string]string) Place {
	var words []string
	moves := v.State == "creating"
	here, other := v.at(c.Instance), v.elsewhere(c.Instance)
	switch {
	case here != nil && here.State == "attached":
		words = append(words, "attached here as "+here.Device+", but the kernel does not show it")
	case here != nil:
		words, moves = append(words, here.State+" here"), here.State == "attaching"
	case other != nil:
		words = append(words, "attached to "+other.Instance)
		if other.State != "attached" {
			words[0] = other.State + " at " + other.Instance
		}
		state := states[other.Instance]
		if state != "" {
			words = append(words, state)
		}
		moves = other.State == "detaching" || state == "shutting-down"
	default:
		words = append(words, v.State)
	}
	if v.Zone != c.Zone {
		moves = false
		words = append(words, fmt.Sprintf("in %s while this instance is in %s", v.Zone, c.Zone))
	}
	if v.MultiAttach {
		words = append(words, "Multi-Attach")
	}
	return Place{strings.Join(words, ", "), moves}
}

// instanceStates returns the states of the other instances that have volumes.
// Where EC2 does not tell, there is just less to say.
func (c *EC2) instanceStates(ctx context.Context, all []Volume) map[string]string {
	var ids []string
	for _, v := range all {
		if a := v.elsewhere(c.Instance); a != nil {
			ids = append(ids, a.Instance)
		}
	}
	states := map[string]string{}
	if len(ids) == 0 {
		return states
	}
	slices.Sort(ids)
	in := &ec2.DescribeInstancesInput{Filters: []types.Filter{filter("instance-id", slices.Compact(ids)...)}}
	out, err := call(ctx, c, "DescribeInstances", c.api.DescribeInstances, in)
	if err != nil {
		return states
	}
	for _, r := range out.Reservations {
		for _, i := range r.Instances {
			if i.State != nil {
				states[aws.ToString(i.InstanceId)] = string(i.State.Name)
			}
		}
	}
	return states
}

// Tag keys by which sets are known to EC2.
const (
	TagSet   = "bootswain:set"   // of volumes: the UUID of the set; of snapshots: the id of the snapshot set
	TagRole  = "bootswain:role"  // place in the array, from 0
	TagCount = "bootswain:count" // volumes of the set

	TagRestored = "bootswain:restored-from" // of volumes: id of the snapshot set
	tagFor      = "bootswain:restored-for"  // of volumes: the instance that they were made for
)

// Record writes what a set's volumes are as their tags, unless that stands
// there: the set's id, and each volume's role, which is its place in ids.
func (c *EC2) Record(ctx context.Context, set string, ids []string) error {
	all, err := c.Volumes(ctx, ids)
	if err != nil {
		return err
	}
	for _, v := range all {
		tags := map[string]string{TagSet: set, TagRole: fmt.Sprint(slices.Index(ids, v.ID)), TagCount: fmt.Sprint(len(ids))}
		in := &ec2.CreateTagsInput{Resources: []string{v.ID}}
		for _, key := range []string{TagSet, TagRole, TagCount} {
			if v.Tags[key] != tags[key] {
				in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
			}
		}
		if len(in.Tags) == 0 {
			continue
		}
		if _, err := call(ctx, c, "CreateTags", c.api.CreateTags, in); err != nil {
			return err
		}
	}
	return nil
}
