// Package cloud is the one way in which bootswain reaches AWS. It finds region
// and credentials as Amazon's own tools do: from AWS's environment variables and
// files, and on an instance from its metadata service, version 2 only, with the
// credentials of its role. Every request is bounded in time, is made a few times
// at most, and fails with a *Failure, which says what kind of failure it is in
// words for people.
//
// It never stores credentials and never logs. Times are wall clock.
package cloud

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go/logging"

	"bootswain/internal/imdsd"
)

const (
	// Limit bounds one request with its repetitions.
	Limit = 10 * time.Second
	// credentialsLimit bounds getting credentials or the region; the metadata
	// service answers in milliseconds or not at all.
	credentialsLimit = 5 * time.Second

	attempts   = 3               // of one request; whoever asks tries again later anyway
	maxBackoff = 2 * time.Second // between attempts
)

// Account is AWS as this machine reaches it, with its credentials.
type Account struct {
	// Config makes the SDK's clients: kms.NewFromConfig(account.Config). An
	// endpoint comes from AWS_ENDPOINT_URL_KMS and the like.
	Config aws.Config

	limit time.Duration // of one request
}

// Open finds region and credentials. AWS_REGION and AWS's files go before the
// region that is given; the metadata service is asked for it where neither is,
// and only then is anybody asked at all. The error is a *Failure.
func Open(ctx context.Context, region string) (*Account, error) {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, credentialsLimit)
	defer cancel()
	where := config.WithDefaultRegion(region)
	if region == "" {
		where = config.WithEC2IMDSRegion(func(o *config.UseEC2IMDSRegion) { o.Client = metadata() })
	}
	c, err := config.LoadDefaultConfig(bounded, where,
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, maxBackoff })
		}),
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) { o.Client = metadata() }),
	)
	if err != nil {
		return nil, classify("aws", "", "its settings", time.Since(began), fmt.Errorf("%w: %w", errNoCredentials, err))
	}
	c.Credentials = marked{c.Credentials}
	return &Account{Config: c}, nil
}

// metadata asks the metadata service with tokens only: an answer without one may
// come from a proxy that was fooled.
func metadata() *imds.Client {
	o := imds.Options{
		EnableFallback: aws.FalseTernary,
		Logger:         logging.Nop{},
		// Neither a proxy, since the address is link-local, nor the SDK's own limit
		// of half a second, which a busy host exceeds.
		HTTPClient: &http.Client{Transport: &imdsd.Transport{
			Direct: &http.Transport{MaxIdleConns: 1, IdleConnTimeout: credentialsLimit}, Socket: imdsd.Socket,
		}},
	}
	// What is not a mode is none, as for Amazon's own tools.
	_ = o.EndpointMode.SetFromString(os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"))
	return imds.New(o)
}

// marked marks the failures to get credentials as such, and bounds their time.
type marked struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (m marked) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, credentialsLimit)
	defer cancel()
	c, err := m.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	return c, nil
}

// In returns the account in another region; "" is the same one.
func (a *Account) In(region string) *Account {
	other := *a
	other.Config = a.Config.Copy()
	other.Config.Region = cmp.Or(region, a.Config.Region)
	return &other
}

// Bounded returns the account with another limit for each request than Limit.
func (a *Account) Bounded(limit time.Duration) *Account {
	other := *a
	other.limit = limit
	return &other
}

// Do makes one request of a service, "kms", and explains its failure. Whatever f
// reads of the answer it reads before it returns, or ctx has ended.
func (a *Account) Do(ctx context.Context, service, action string, f func(ctx context.Context) error) error {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, cmp.Or(a.limit, Limit))
	defer cancel()
	if err := f(bounded); err != nil {
		return classify(service, a.Config.Region, action, time.Since(began), err)
	}
	return nil
}

// Ask makes one request with a method of an SDK's client, and explains its
// failure: Ask(ctx, a, "kms", "Decrypt", client.Decrypt, &kms.DecryptInput{…}).
func Ask[In, Out, Options any](ctx context.Context, a *Account, service, action string, do func(context.Context, *In, ...func(*Options)) (*Out, error), in *In) (out *Out, err error) {
	err = a.Do(ctx, service, action, func(ctx context.Context) error {
		var err error
		out, err = do(ctx, in)
		return err
	})
	return out, err
}
