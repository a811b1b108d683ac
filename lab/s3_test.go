package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bootswain/internal/cloud"
	"bootswain/internal/reference"
	"bootswain/lab/awsjson"
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
	services := awsjson.New(region, l.EC2.Who)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if awsjson.Service(r) == "s3" {
			s.ServeHTTP(w, r)
			return
		}
		services.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	c := l.EC2.Credentials("i-1", "db-prod")
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": web.URL, "AWS_REGION": region, "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey, "AWS_SESSION_TOKEN": c.Token} {
		t.Setenv(name, value)
	}
	a, err := cloud.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

// TestDocumentsAWSLab and TestDocumentsAWSAccount run the same suite: against the
// laboratory, whose S3 is a real server, and against the account that AWS's
// environment variables or files name.
func TestDocumentsAWSLab(t *testing.T) {
	s, a := startS3(t)
	editTogether(t, a, "ssm:/bootswain-test/users")
	const address = "s3://orders/access/users.yaml"
	editTogether(t, a, address)

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
	if got := s.Requests(); len(got) == 0 || got[0].Role != "db-prod" || got[0].Path != "/orders/access/users.yaml" {
		t.Errorf("requests: %+v", got)
	}
}

func TestDocumentsAWSAccount(t *testing.T) {
	bucket := os.Getenv("BOOTSWAIN_AWS_BUCKET")
	if os.Getenv("BOOTSWAIN_AWS") == "" || bucket == "" {
		t.Skip("a real account: make test-aws BOOTSWAIN_AWS_BUCKET=…, a bucket that may be written to, with credentials and region as for Amazon's own tools")
	}
	a, err := cloud.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("bootswain-test-%d", time.Now().UnixNano())
	t.Cleanup(func() {
		ctx := context.Background()
		_, err := ssm.NewFromConfig(a.Config).DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String("/" + name)})
		_, err2 := awss3.NewFromConfig(a.Config).DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &bucket, Key: &name})
		if err := errors.Join(err, err2); err != nil {
			t.Error(err)
		}
	})
	editTogether(t, a, "ssm:/"+name)
	editTogether(t, a, "s3://"+bucket+"/"+name)
}

// editTogether has two people make and change a document at the same time.
func editTogether(t *testing.T, a *cloud.Account, address string) {
	t.Helper()
	if _, err := reference.Get(t.Context(), a, address); cloud.Of(err) == nil || cloud.Of(err).Kind != cloud.NotFound {
		t.Errorf("%s, nothing there: %v", address, err)
	}
	add := func(word string) func([]byte) ([]byte, error) {
		return func(have []byte) ([]byte, error) { return append(have[:len(have):len(have)], word+" "...), nil }
	}
	for _, round := range []string{"made", "changed"} {
		other := false
		err := reference.Edit(t.Context(), a, address, func(have []byte) ([]byte, error) {
			if !other {
				other = true
				if err := reference.Edit(t.Context(), a, address, add("other")); err != nil {
					t.Errorf("%s, %s: %v", address, round, err)
				}
			}
			return add("mine")(have)
		})
		if err != nil {
			t.Errorf("%s, %s: %v", address, round, err)
		}
	}
	d, err := reference.Get(t.Context(), a, address)
	if err != nil || string(d.Data) != "other mine other mine " || d.Version == "" {
		t.Errorf("%s: got %q, %v", address, d, err)
	}
}
