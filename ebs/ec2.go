package ebs

import (
	"cmp"
	"context"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/logging"
)

const (
	callTimeout = 10 * time.Second // one request to EC2 with its repetitions, and one for credentials
	attempts    = 3                // of one request; whoever asks tries again later anyway
	maxBackoff  = 2 * time.Second  // between attempts
)

// EC2 is the cloud's knowledge of volumes, and its power to attach them, as one
// instance has them by its role. Its methods may be used at the same time. What
// goes wrong is a *situation.Situation whose subject is the caller's to fill in.
type EC2 struct {
	Instance string // "i-0…", this one
	Zone     string // its availability zone

	api     api
	timeout time.Duration

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

// Connect returns EC2 as an instance in this region and zone reaches it, with
// the credentials of its role. The endpoint is the region's unless one is given,
// or AWS_ENDPOINT_URL_EC2 is set, as for Amazon's own tools. It asks nobody yet.
func Connect(region, zone, instance, endpoint string) *EC2 {
	o := ec2.Options{
		Region:      region,
		Credentials: aws.NewCredentialsCache(roleCredentials{ec2rolecreds.New()}),
		HTTPClient:  &http.Client{},
		Logger:      logging.Nop{},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff
		}),
	}
	if endpoint = cmp.Or(os.Getenv("AWS_ENDPOINT_URL_EC2"), endpoint); endpoint != "" {
		o.BaseEndpoint = aws.String(endpoint)
	}
	return newEC2(ec2.New(o), zone, instance)
}

func newEC2(a api, zone, instance string) *EC2 {
	return &EC2{Instance: instance, Zone: zone, api: a, timeout: callTimeout, took: map[string]bool{}}
}

// call makes one request, bounded in time, and explains its failure.
func call[In, Out any](ctx context.Context, c *EC2, action string, do func(context.Context, *In, ...func(*ec2.Options)) (*Out, error), in *In) (*Out, error) {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := do(bounded, in)
	if err != nil {
		return nil, explain(action, time.Since(began), err)
	}
	return out, nil
}
