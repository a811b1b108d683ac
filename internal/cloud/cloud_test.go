package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"bootswain/lab/imds"
)

// machine has AWS's variables say what an instance's do, and returns its
// metadata service.
func machine(t *testing.T) *imds.Server {
	t.Helper()
	s := imds.New(imds.Instance{ID: "i-0a", Region: "eu-west-1", Zone: "eu-west-1a"})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": web.URL, "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	return s
}

const credentials = `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAROLE","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}`

func TestOpen(t *testing.T) {
	tests := []struct {
		name        string
		env         map[string]string
		given       string
		region, key string
		asked       bool // the metadata service, by Open
	}{
		{"instance", nil, "", "eu-west-1", "ASIAROLE", true},
		{"launch data's region", nil, "eu-central-1", "eu-central-1", "ASIAROLE", false},
		{"environment", map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIALAPTOP", "AWS_SECRET_ACCESS_KEY": "s"}, "eu-central-1", "us-east-1", "AKIALAPTOP", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(t)
			m.SetRole("db-prod", credentials)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			a, err := Open(t.Context(), tt.given)
			if err != nil {
				t.Fatal(err)
			}
			if asked := len(m.Requests()) > 0; asked != tt.asked {
				t.Errorf("metadata service asked: %v", asked)
			}
			c, err := a.Config.Credentials.Retrieve(t.Context())
			if err != nil || a.Config.Region != tt.region || c.AccessKeyID != tt.key {
				t.Errorf("region %s, key %s, %v; want %s, %s", a.Config.Region, c.AccessKeyID, err, tt.region, tt.key)
			}
			if other := a.In("us-west-2"); other.Config.Region != "us-west-2" || a.Config.Region != tt.region || a.In("").Config.Region != tt.region {
				t.Error("In changes the account, or does not change its copy")
			}
		})
	}
}

// TestIPv6 asks a metadata service that is on IPv6 only, and knows its usual
// address.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	machine(t)
	s := imds.New(imds.Instance{ID: "i-0a", Region: "eu-west-1", Zone: "eu-west-1a"})
	s.SetRole("db-prod", credentials)
	web := &http.Server{Handler: s}
	go func() { _ = web.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = web.Close() })
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+l.Addr().String())
	a, err := Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := a.Config.Credentials.Retrieve(t.Context()); err != nil || a.Config.Region != "eu-west-1" || c.AccessKeyID != "ASIAROLE" {
		t.Errorf("region %s, key %s, %v", a.Config.Region, c.AccessKeyID, err)
	}
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6")
	asked := ""
	ctx, cancel := context.WithCancel(t.Context())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(at string) { asked = at; cancel() }})
	if _, err := metadata().GetMetadata(ctx, nil); err == nil || asked != "[fd00:ec2::254]:80" {
		t.Errorf("asked %s, %v", asked, err)
	}
}

// TestNoToken: an answer without a token is not taken.
func TestNoToken(t *testing.T) {
	machine(t)
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "eu-west-1")
	}))
	t.Cleanup(old.Close)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", old.URL)
	if a, err := Open(t.Context(), ""); err == nil {
		t.Errorf("took region %q without a token", a.Config.Region)
	}
}

func TestNoCredentials(t *testing.T) {
	tests := []struct {
		name  string
		fault imds.Fault
		want  string
	}{
		{"no role", imds.Fault{}, "kms.eu-west-1: no credentials: this instance has no role"},
		{"switched off", imds.Fault{Status: http.StatusForbidden}, "kms.eu-west-1: no credentials: the metadata service gives none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine(t)
			m.SetFault(tt.fault)
			a, err := Open(t.Context(), "eu-west-1")
			if err != nil {
				t.Fatal(err)
			}
			err = a.Do(t.Context(), "kms", "Decrypt", func(ctx context.Context) error {
				_, err := a.Config.Credentials.Retrieve(ctx)
				return err
			})
			if f := Of(err); f == nil || f.Kind != NoCredentials || f.Error() != tt.want || !strings.Contains(f.Next(), "kms:Decrypt") {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestLimits: neither a silent service nor a silent metadata service takes longer
// than is promised, and the sentence says how long it took.
func TestLimits(t *testing.T) {
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for want, f := range map[string]func(context.Context) error{
		"kms.eu-west-1: no answer in 10 s; NAT or VPC endpoint missing": silent,
		"kms.eu-west-1: no credentials: the metadata service did not answer in 5 s": func(ctx context.Context) error {
			_, err := marked{aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) { return aws.Credentials{}, silent(ctx) })}.Retrieve(ctx)
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			a := &Account{Config: aws.Config{Region: "eu-west-1"}}
			err := a.Do(t.Context(), "kms", "Decrypt", f)
			if err == nil || err.Error() != want {
				t.Errorf("%v\nwant %s", err, want)
			}
			if took := time.Since(began); took > Limit {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	answer := func(code, message string, fault smithy.ErrorFault) error {
		return fmt.Errorf("operation error: %w", &smithy.GenericAPIError{Code: code, Message: message, Fault: fault})
	}
	who := "User: arn:aws:sts::123456789012:assumed-role/db-prod/i-0a is not authorized to perform: kms:Decrypt"
	tests := []struct {
		err  error
		kind Kind
		want string
		next string
	}{
		{answer("AccessDeniedException", who, smithy.FaultClient), Denied, "kms.eu-west-1 denied Decrypt to role db-prod (AccessDeniedException)", "grant kms:Decrypt"},
		{answer("UnauthorizedOperation", "", smithy.FaultClient), Denied, "kms.eu-west-1 denied Decrypt (UnauthorizedOperation)", "grant kms:Decrypt"},
		{answer("NotFoundException", "Alias x is not found.", smithy.FaultClient), NotFound, "kms.eu-west-1 refused Decrypt: Alias x is not found (NotFoundException)", "correct it"},
		{answer("InvalidCiphertextException", "no.", smithy.FaultClient), Refused, "kms.eu-west-1 refused Decrypt: no (InvalidCiphertextException)", "correct it"},
		{answer("ThrottlingException", "Rate exceeded", smithy.FaultClient), Throttled, "kms.eu-west-1 throttles Decrypt (ThrottlingException)", "nothing"},
		{answer("KMSInternalException", "", smithy.FaultServer), Broken, "kms.eu-west-1 is in trouble: it answered Decrypt with KMSInternalException", "nothing"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, Unreachable, "kms.eu-west-1: connection refused; NAT or VPC endpoint missing", "a VPC endpoint for kms, or a way out"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Name: "kms.eu-west-1.amazonaws.com"}}, Unreachable, "kms.eu-west-1: no address for kms.eu-west-1.amazonaws.com; NAT or VPC endpoint missing", "a VPC endpoint for kms, or a way out"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, Other, "kms.eu-west-1 gave no usable answer to Decrypt: the connection was cut", "nothing"},
		{errors.New("EOF"), Other, "kms.eu-west-1 gave no usable answer to Decrypt: EOF", "nothing"},
	}
	a := &Account{Config: aws.Config{Region: "eu-west-1"}}
	for _, tt := range tests {
		f := Of(a.Do(t.Context(), "kms", "Decrypt", func(context.Context) error { return tt.err }))
		if f == nil || f.Kind != tt.kind || f.Error() != tt.want || f.Next() != tt.next || !errors.Is(f, tt.err) {
			t.Errorf("%v\nwant %s\nnext %q", f, tt.want, f.Next())
		}
	}
	type options struct{}
	out, err := Ask(t.Context(), a, "kms", "Decrypt", func(_ context.Context, in *int, _ ...func(*options)) (*int, error) { return in, nil }, new(7))
	if err != nil || *out != 7 {
		t.Errorf("%v, %v", out, err)
	}
}
