package ebs

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// detachTimeout bounds how long volumes may take to be let go of.
const detachTimeout = 2 * time.Minute

// Detach detaches volumes from this instance and returns when EC2 says that
// they are. Nothing may use them any more.
func (c *EC2) Detach(ctx context.Context, volumes []string) error {
	for _, id := range volumes {
		in := &ec2.DetachVolumeInput{VolumeId: aws.String(id), InstanceId: aws.String(c.Instance)}
		if _, err := call(ctx, c, "DetachVolume", c.api.DetachVolume, in); err != nil && !isDetached(err) {
			return err
		}
		c.mark(id, false)
	}
	// A volume can be attached elsewhere before anybody looks again, so what is
	// waited for is that none is attached here.
	ctx, cancel := context.WithTimeout(ctx, detachTimeout)
	defer cancel()
	for pause := 500 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		left, err := c.volumes(ctx, filter("volume-id", volumes...), filter("attachment.instance-id", c.Instance))
		if err != nil && !errors.Is(err, ErrUnsure) || len(left) == 0 && err == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return waiting("look at it with aws ec2 describe-volumes; detach it by force only if this instance is off", "EC2 has not let go of %v", volumes)
		case <-time.After(pause): // EC2 tells nobody when it has
		}
	}
}
