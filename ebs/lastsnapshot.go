package ebs

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// LastSnapshot returns the moment whose state of these volumes can be had back
// from snapshots, the latest there is; zero if there is none. Of one volume any
// snapshot counts that is completed. Of several only a snapshot set does, which
// carries a tag TagSet of its own: others need not be of one moment.
func (c *EC2) LastSnapshot(ctx context.Context, ids []string) (last time.Time, err error) {
	found, err := c.describeSnapshots(ctx, filter("volume-id", ids...), filter("status", string(types.SnapshotStateCompleted)))
	if err != nil {
		return last, err
	}
	type set struct {
		of   []string  // volumes
		from time.Time // of its first snapshot
	}
	sets := map[string]set{}
	for _, s := range found {
		id, name := aws.ToString(s.VolumeId), tagsOf(s.Tags)[TagSet]
		switch {
		case len(ids) == 1:
			name = aws.ToString(s.SnapshotId)
		case name == "":
			continue
		}
		t, started := sets[name], aws.ToTime(s.StartTime)
		if !slices.Contains(t.of, id) {
			t.of = append(t.of, id)
		}
		if t.from.IsZero() || started.Before(t.from) {
			t.from = started
		}
		sets[name] = t
	}
	for _, t := range sets {
		if len(t.of) == len(ids) && t.from.After(last) {
			last = t.from
		}
	}
	return last, nil
}

func (c *EC2) describeSnapshots(ctx context.Context, filters ...types.Filter) (all []types.Snapshot, err error) {
	in := &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, MaxResults: aws.Int32(pageSize), Filters: filters}
	for {
		out, err := call(ctx, c, "DescribeSnapshots", c.api.DescribeSnapshots, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.Snapshots...)
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return all, nil
		}
	}
}
