package awsjson

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"bootswain/lab/fault"
)

// open returns the services and a configuration of Amazon's SDK for them.
func open(t *testing.T) (*Server, aws.Config) {
	s := New("eu-west-1", func(accessKey string) (string, string) {
		if accessKey != "ASIAROLE" {
			return "", ""
		}
		return "i-0a", "db-prod"
	})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, aws.Config{
		Region: "eu-west-1", BaseEndpoint: &web.URL, HTTPClient: web.Client(), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider("ASIAROLE", "s", ""),
	}
}

// want fails unless err is the services' answer with this code.
func want(t *testing.T, what string, err error, code string) {
	t.Helper()
	var e smithy.APIError
	got := ""
	if errors.As(err, &e) {
		got = e.ErrorCode()
	}
	if got != code || (err == nil) != (code == "") {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

func TestKMS(t *testing.T) {
	s, config := open(t)
	client := kms.NewFromConfig(config)
	id, other := s.AddKey("alias/orders"), s.AddKey("")
	bound := map[string]string{"set": "orders", "app": "shop"}
	made, err := client.GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: aws.String("alias/orders"), NumberOfBytes: aws.Int32(64), EncryptionContext: bound})
	if err != nil {
		t.Fatal(err)
	}
	decrypt := func(blob []byte, key string, context map[string]string) ([]byte, error) {
		in := &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: context}
		if key != "" {
			in.KeyId = &key
		}
		out, err := client.Decrypt(t.Context(), in)
		if err != nil {
			return nil, err
		}
		return out.Plaintext, nil
	}
	for _, key := range []string{"", id, "alias/orders", "arn:aws:kms:eu-west-1:123456789012:key/" + id, "arn:aws:kms:eu-west-1:123456789012:alias/orders"} {
		if plaintext, err := decrypt(made.CiphertextBlob, key, bound); err != nil || len(plaintext) != 64 {
			t.Errorf("with key %q: %d bytes, %v", key, len(plaintext), err)
		}
	}
	if plaintext, err := decrypt(s.Encrypt(other, nil, []byte("known")), "", nil); err != nil || string(plaintext) != "known" {
		t.Errorf("a known text: %q, %v", plaintext, err)
	}
	damaged := bytes.Clone(made.CiphertextBlob)
	damaged[len(damaged)-1] ^= 1
	for code, c := range map[string]struct {
		blob    []byte
		key     string
		context map[string]string
	}{
		"InvalidCiphertextException": {damaged, "", bound},
		"IncorrectKeyException":      {made.CiphertextBlob, other, bound},
		"NotFoundException":          {made.CiphertextBlob, "alias/none", bound},
		"AccessDeniedException":      {bytes.Repeat([]byte("x"), 100), "", bound}, // a key of nobody's
	} {
		_, err := decrypt(c.blob, c.key, c.context)
		want(t, code, err, code)
	}
	for _, context := range []map[string]string{nil, {"set": "orders"}, {"set": "orders", "app": "other"}} {
		_, err := decrypt(made.CiphertextBlob, "", context)
		want(t, "another context", err, "InvalidCiphertextException")
	}
	_, err = client.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: made.CiphertextBlob, EncryptionContext: bound, DryRun: aws.Bool(true)})
	want(t, "a dry run", err, "DryRunOperationException")
	s.EnableKey(id, false)
	_, err = decrypt(made.CiphertextBlob, "", bound)
	want(t, "a key that is off", err, "DisabledException")
}

func TestSecretsManager(t *testing.T) {
	s, config := open(t)
	client := secretsmanager.NewFromConfig(config)
	s.AddSecret("plain", "text")
	made, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("key"), SecretBinary: []byte{0, 1}, KmsKeyId: aws.String("alias/orders")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("key"), SecretString: aws.String("x")})
	want(t, "made twice", err, "ResourceExistsException")
	for _, id := range []string{"key", *made.ARN} {
		got, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id, VersionId: made.VersionId})
		if err != nil || !bytes.Equal(got.SecretBinary, []byte{0, 1}) || got.SecretString != nil {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
	}
	_, err = client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("plain"), VersionId: made.VersionId})
	want(t, "another's version", err, "ResourceNotFoundException")
	for name, key := range map[string]string{"key": "alias/orders", "plain": ""} {
		if got, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name}); err != nil || aws.ToString(got.KmsKeyId) != key {
			t.Errorf("%s: %+v, %v, want key %q", name, got, err, key)
		}
	}
	if _, err = client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("key")}); err != nil {
		t.Error(err)
	}
	_, err = client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("key")})
	want(t, "deleted", err, "ResourceNotFoundException")
}

func TestParameterStore(t *testing.T) {
	s, config := open(t)
	client := ssm.NewFromConfig(config)
	put := func(value string, overwrite bool) (int64, error) {
		out, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/users"), Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: &overwrite})
		if err != nil {
			return 0, err
		}
		return out.Version, nil
	}
	for i, value := range []string{"one", "two"} {
		if version, err := put(value, i > 0); err != nil || version != int64(i+1) {
			t.Errorf("%s: version %d, %v", value, version, err)
		}
	}
	_, err := put("three", false)
	want(t, "there already", err, "ParameterAlreadyExists")
	s.AddParameter("/key", "secret")
	for name, c := range map[string]struct {
		decrypt   bool
		want, err string
	}{
		"/users": {false, "two", ""}, "/users:1": {false, "one", ""}, "/users:3": {false, "", "ParameterVersionNotFound"}, "/none": {false, "", "ParameterNotFound"},
		"arn:aws:ssm:eu-west-1:123456789012:parameter/users": {false, "two", ""}, "/key": {true, "secret", ""}, "/key:1": {false, "kms:encrypted", ""},
	} {
		out, err := client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: &c.decrypt})
		want(t, name, err, c.err)
		if err == nil && *out.Parameter.Value != c.want {
			t.Errorf("%s is %q, want %q", name, *out.Parameter.Value, c.want)
		}
	}
	for name, key := range map[string]string{"/key": "alias/aws/ssm", "/users": ""} {
		filter := []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Values: []string{name}}}
		out, err := client.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{ParameterFilters: filter})
		if err != nil || len(out.Parameters) != 1 || aws.ToString(out.Parameters[0].KeyId) != key {
			t.Errorf("%s: %+v, %v, want key %q", name, out, err, key)
		}
	}
	if _, err = client.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/users")}); err != nil {
		t.Error(err)
	}
	_, err = client.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/users")})
	want(t, "deleted", err, "ParameterNotFound")
}

// TestFaults goes through what can be wrong with the services, and what is noted
// of each request.
func TestFaults(t *testing.T) {
	s, config := open(t)
	s.AddParameter("/key", "secret")
	ask := func(ctx context.Context, c aws.Config) error {
		_, err := ssm.NewFromConfig(c).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/key")})
		return err
	}
	stranger := config.Copy()
	stranger.Credentials = credentials.NewStaticCredentialsProvider("AKIDNOBODY", "s", "")
	want(t, "a stranger", ask(t.Context(), stranger), "UnrecognizedClientException")
	for code, f := range map[string]Fault{
		"ThrottlingException": {Throttle: []string{"GetParameter"}}, "AccessDeniedException": {Denied: []string{"*"}}, "InternalFailure": {Broken: []string{"GetParameter"}},
		"": {Throttle: []string{"Decrypt"}, Denied: []string{"PutParameter"}},
	} {
		s.SetFault(f)
		err := ask(t.Context(), config)
		want(t, code, err, code)
		if code == "AccessDeniedException" && !strings.Contains(err.Error(), "assumed-role/db-prod/i-0a is not authorized to perform: ssm:GetParameter") {
			t.Errorf("denied: %v", err)
		}
		if last := s.Requests()[len(s.Requests())-1]; last.Service != "ssm" || last.Action != "GetParameter" || last.Role != "db-prod" || last.Code != code {
			t.Errorf("noted: %+v, want code %q", last, code)
		}
	}
	s.SetFault(Fault{Common: fault.Common{Refuse: true}})
	if err := ask(t.Context(), config); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("refused: %v", err)
	}
	s.SetFault(Fault{Common: fault.Common{Silent: true}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := ask(ctx, config); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	s.SetFault(Fault{})
	want(t, "sound again", ask(t.Context(), config), "")
}

// TestService: one server tells its services apart by the signature.
func TestService(t *testing.T) {
	for header, service := range map[string]string{
		"AWS4-HMAC-SHA256 Credential=ASIAROLE/20261122/eu-west-1/kms/aws4_request, SignedHeaders=host": "kms",
		"AWS4-HMAC-SHA256 Credential=ASIAROLE/20261122/eu-west-1/s3/aws4_request, SignedHeaders=host":  "s3",
		"Bearer x": "", "": "",
	} {
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		if got := Service(r); got != service || Has(got) != (service == "kms") {
			t.Errorf("%q is for %q, want %q", header, got, service)
		}
	}
}
