package ebs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bootswain/internal/cloud"
)

// May tells whether the instance's role lets it attach a volume and tag it, by
// asking EC2 to check that alone (DryRun). Nothing comes of it.
func (c *EC2) May(ctx context.Context, volume string) error {
	attach := &ec2.AttachVolumeInput{DryRun: aws.Bool(true), VolumeId: aws.String(volume), InstanceId: aws.String(c.Instance), Device: aws.String("/dev/sdf")}
	_, err := call(ctx, c, "AttachVolume", c.api.AttachVolume, attach)
	if err := denied(err); err != nil {
		return err
	}
	tag := &ec2.CreateTagsInput{DryRun: aws.Bool(true), Resources: []string{volume}, Tags: []types.Tag{{Key: aws.String(TagSet), Value: aws.String("x")}}}
	_, err = call(ctx, c, "CreateTags", c.api.CreateTags, tag)
	return denied(err)
}

// denied leaves out what EC2 finds after it has looked at the right to ask:
// DryRunOperation, or that a volume is attached already.
func denied(err error) error {
	if f := cloud.Of(err); f != nil && (f.Kind == cloud.Refused || f.Kind == cloud.NotFound) {
		return nil
	}
	return err
}
