package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"bootswain/internal/cloud"
	"bootswain/internal/situation"
	"bootswain/lab/awsjson"
	"bootswain/lab/imds"
)

const role = `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAROLE","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}`

// region is AWS in this process, as an instance with a role reaches it.
type region struct {
	*awsjson.Server
	imds *imds.Server
	web  *httptest.Server
	key  string // behind alias/orders
}

func newRegion(t *testing.T) region {
	t.Helper()
	r := region{imds: imds.New(imds.Instance{ID: "i-0a", Region: "eu-west-1", Zone: "eu-west-1a"})}
	r.imds.SetRole("db-prod", role)
	r.Server = awsjson.New("eu-west-1", func(accessKey string) (string, string) {
		if accessKey != "ASIAROLE" {
			return "", ""
		}
		return "i-0a", "db-prod"
	})
	r.web = httptest.NewServer(r.Server)
	metadata := httptest.NewServer(r.imds)
	t.Cleanup(r.web.Close)
	t.Cleanup(metadata.Close)
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.URL, "AWS_ENDPOINT_URL": r.web.URL, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	r.key = r.AddKey("alias/orders")
	return r
}

// said is a source as launch data and headers say it.
func said(t *testing.T, name string, value any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAWSLab and TestAWSAccount run the same suite: against the laboratory, and
// against the account that AWS's environment variables or files name.
func TestAWSLab(t *testing.T) {
	newRegion(t)
	suite(t, "alias/orders")
}

func TestAWSAccount(t *testing.T) {
	key := os.Getenv("BOOTSWAIN_AWS_KEY")
	if os.Getenv("BOOTSWAIN_AWS") == "" || key == "" {
		t.Skip("a real account: make test-aws BOOTSWAIN_AWS_KEY=alias/…, a key of KMS that may be used, with credentials and region as for Amazon's own tools")
	}
	suite(t, key)
}

func suite(t *testing.T, kmsKeyName string) {
	account, err := cloud.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("bootswain-test-%d", time.Now().UnixNano())
	t.Run("KMS", func(t *testing.T) {
		ciphertext, err := MakeInKMS(t.Context(), kmsKeyName, map[string]string{"set": "orders-db"})
		if err != nil {
			t.Fatal(err)
		}
		good := kmsKey{ciphertext, map[string]string{"set": "orders-db"}, kmsKeyName}
		for name, k := range map[string]kmsKey{"with its key named": good, "by its ciphertext alone": {good.Ciphertext, good.Context, ""}} {
			first, err := Ring{}.Unseal(t.Context(), said(t, "kms", k))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			second, err := Ring{}.Unseal(t.Context(), said(t, "kms", k))
			if err != nil || !first.Equal(second) || len(*first.box.b) != RandomSize {
				t.Errorf("%s: twice the same key of 64 bytes: %v", name, err)
			}
		}
		for want, k := range map[string]kmsKey{
			"KMS cannot decrypt the key: its ciphertext is damaged, or was not made with context set=orders.": {good.Ciphertext, map[string]string{"set": "orders"}, kmsKeyName},
			"KMS cannot decrypt the key: its ciphertext is damaged":                                           {flip(good.Ciphertext, len(good.Ciphertext)-1), good.Context, kmsKeyName},
			"KMS has no alias/" + name + " in ":                                                               {good.Ciphertext, good.Context, "alias/" + name},
		} {
			_, err := Ring{}.Unseal(t.Context(), said(t, "kms", k))
			isLocked(t, err, want)
		}
		if _, err := MakeInKMS(t.Context(), "alias/"+name, nil); err == nil || !strings.Contains(err.Error(), "cannot make a key: kms.") || !strings.Contains(err.Error(), "NotFoundException") {
			t.Errorf("no such key: %v", err)
		}
	})
	t.Run("Secrets Manager", func(t *testing.T) {
		client := secretsmanager.NewFromConfig(account.Config)
		made, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretBinary: []byte(canary)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			_, err := client.DeleteSecret(context.Background(), &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
			if err != nil {
				t.Error(err)
			}
		}()
		for _, s := range []managedSecret{{name, ""}, {*made.ARN, ""}, {name, *made.VersionId}} {
			isCanary(t, said(t, "secretsmanager", s))
		}
		_, err = Ring{}.Unseal(t.Context(), said(t, "secretsmanager", managedSecret{name + "-other", ""}))
		isLocked(t, err, "Secrets Manager has no "+name+"-other in ")
	})
	t.Run("Systems Manager", func(t *testing.T) {
		client := ssm.NewFromConfig(account.Config)
		at := "/bootswain/" + name
		_, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &at, Value: aws.String(canary), Type: types.ParameterTypeSecureString})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := client.DeleteParameter(context.Background(), &ssm.DeleteParameterInput{Name: &at}); err != nil {
				t.Error(err)
			}
		}()
		for _, p := range []parameter{{at}, {at + ":1"}} {
			isCanary(t, said(t, "ssm", p))
		}
		_, err = Ring{}.Unseal(t.Context(), said(t, "ssm", parameter{at + "-other"}))
		isLocked(t, err, "Systems Manager has no parameter "+at+"-other in ")
	})
}

func isCanary(t *testing.T, source []byte) {
	t.Helper()
	k, err := Ring{}.Unseal(t.Context(), source)
	if err != nil {
		t.Errorf("%s: %v", source, err)
		return
	}
	if !bytes.Equal(*k.box.b, []byte(canary)) {
		t.Errorf("%s gives another key", source)
	}
}

func isLocked(t *testing.T, err error, want string) {
	t.Helper()
	s := situation.Of(err)
	if s == nil || s.Word != situation.Locked || s.Next == "" || !strings.HasSuffix(s.Text, ". Data untouched.") {
		t.Errorf("not a LOCKED situation with a next step: %v", err)
	} else if !strings.Contains(s.Text, want) || leaks(s.String()) {
		t.Errorf("%s\nwant: %s", s, want)
	}
}
