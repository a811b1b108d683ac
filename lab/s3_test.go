package lab

import (
	"context"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bootswain/internal/cloud"
	"bootswain/internal/reference"
	"bootswain/lab/ec2"
	"bootswain/lab/s3"
)

// startS3 starts the real server, where it was built, and an account that
// reaches it as an instance does.
func startS3(t *testing.T) (*s3.Server, *cloud.Account) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(cache, "bootswain", "tools", "versitygw-"+s3Version, "versitygw")); err != nil {
		t.Skip("the S3 server is not built; make test does it")
	}
	l := &Lab{dir: t.TempDir(), log: io.Discard, EC2: ec2.New(nil)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := l.S3(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); l.s3Process.kill() })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	t.Setenv("AWS_ENDPOINT_URL_S3", web.URL)
	c := l.EC2.Credentials("i-1", "db-prod")
	t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretAccessKey)
	t.Setenv("AWS_SESSION_TOKEN", c.Token)
	a, err := cloud.Open(t.Context(), region)
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

// TestS3 has two people edit an object at the same time, on a real S3 server.
func TestS3(t *testing.T) {
	s, a := startS3(t)
	const address = "s3://orders/access/users.yaml"
	if _, err := reference.Get(t.Context(), a, address); cloud.Of(err) == nil || cloud.Of(err).Code != "NoSuchKey" {
		t.Errorf("nothing there: %v", err)
	}
	add := func(word string) func([]byte) ([]byte, error) {
		return func(have []byte) ([]byte, error) { return append(have[:len(have):len(have)], word+" "...), nil }
	}
	for _, round := range []string{"first ", "second "} {
		other := false
		err := reference.Edit(t.Context(), a, address, func(have []byte) ([]byte, error) {
			if !other {
				other = true
				if err := reference.Edit(t.Context(), a, address, add("other")); err != nil {
					t.Errorf("%s: %v", round, err)
				}
			}
			return add("mine")(have)
		})
		if err != nil {
			t.Errorf("%s: %v", round, err)
		}
	}
	d, err := reference.Get(t.Context(), a, address)
	if err != nil || string(d.Data) != "other mine other mine " || d.Version == "" {
		t.Errorf("got %q, %v", d, err)
	}

	s.SetFault(s3.Fault{Denied: []string{"GET"}})
	if _, err := reference.Get(t.Context(), a, address); cloud.Of(err) == nil || cloud.Of(err).Kind != cloud.Denied {
		t.Errorf("denied: %v", err)
	}
	s.SetFault(s3.Fault{})
	stranger := *a
	stranger.Config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIASTRANGER", SecretAccessKey: "x"}, nil
	})
	if _, err := reference.Get(t.Context(), &stranger, address); cloud.Of(err) == nil || cloud.Of(err).Kind != cloud.Denied {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := reference.Get(t.Context(), a, "s3://other/x"); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("no bucket: %v", err)
	}
}
