package ebs

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"bootswain/internal/cloud"
)

// EC2 is the cloud's knowledge of volumes, and its power to attach them, as one
// instance has them by its role. Its methods may be used at the same time. What
// goes wrong is a *situation.Situation whose subject is the caller's to fill in.
type EC2 struct {
	Instance string // "i-0…", this one
	Zone     string // its availability zone

	account *cloud.Account
	api     api

	mu   sync.Mutex
	took map[string]bool // volumes that were attached for sets that are not complete yet
}

// api is what EC2 is asked for; *ec2.Client is one.
type api interface {
	AttachVolume(context.Context, *ec2.AttachVolumeInput, ...func(*ec2.Options)) (*ec2.AttachVolumeOutput, error)
	CreateTags(context.Context, *ec2.CreateTagsInput, ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error)
	CreateVolume(context.Context, *ec2.CreateVolumeInput, ...func(*ec2.Options)) (*ec2.CreateVolumeOutput, error)
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
	DescribeSnapshots(context.Context, *ec2.DescribeSnapshotsInput, ...func(*ec2.Options)) (*ec2.DescribeSnapshotsOutput, error)
	DescribeVolumes(context.Context, *ec2.DescribeVolumesInput, ...func(*ec2.Options)) (*ec2.DescribeVolumesOutput, error)
	DetachVolume(context.Context, *ec2.DetachVolumeInput, ...func(*ec2.Options)) (*ec2.DetachVolumeOutput, error)
}

// Connect returns EC2 as an instance in this zone of the account's region
// reaches it. It asks nobody yet.
func Connect(account *cloud.Account, zone, instance string) *EC2 {
	return &EC2{Instance: instance, Zone: zone, account: account, api: ec2.NewFromConfig(account.Config), took: map[string]bool{}}
}

// call makes one request, bounded in time, and explains its failure.
func call[In, Out any](ctx context.Context, c *EC2, action string, do func(context.Context, *In, ...func(*ec2.Options)) (*Out, error), in *In) (*Out, error) {
	out, err := cloud.Ask(ctx, c.account, "ec2", action, do, in)
	if err != nil {
		return nil, explain(cloud.Of(err))
	}
	return out, nil
}
