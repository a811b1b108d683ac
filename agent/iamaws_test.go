package agent

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"bootswain/internal/cloud"
	"bootswain/lab/awsjson"
)

const keysElsewhere = `version: 1
volumes:
  data:
    ebs: {devices: [/dev/sdf]}
    mount: /srv/data
    encryption: {ssm: {parameter: "/orders/key:1"}, fallback: [{secretsmanager: {secret: orders/key}}, {ssm: {parameter: managed}}, {ssm: {parameter: gone}}]}
`

// TestConfigIAMAWS finds what launch data includes, and the keys of KMS that
// encrypt what the instance reads.
func TestConfigIAMAWS(t *testing.T) {
	api := awsjson.New("eu-west-1", func(string) (string, string) { return "i-0a", "somebody" })
	key := api.AddKey("alias/orders")
	arn := "arn:aws:kms:eu-west-1:123456789012:key/" + key
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if awsjson.Has(awsjson.Service(r)) {
			api.ServeHTTP(w, r)
			return
		}
		w.Header().Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", arn)
		_, _ = w.Write([]byte(keysElsewhere)) // whoever asked for the head alone gets none
	}))
	t.Cleanup(web.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	account, err := cloud.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	api.AddParameter("managed", "k")
	parameter := &ssm.PutParameterInput{Name: aws.String("/orders/key"), Value: aws.String("k"), Type: types.ParameterTypeSecureString, KeyId: aws.String("alias/orders")}
	if _, err := ssm.NewFromConfig(account.Config).PutParameter(t.Context(), parameter); err != nil {
		t.Fatal(err)
	}
	secret := &secretsmanager.CreateSecretInput{Name: aws.String("orders/key"), SecretString: aws.String("k"), KmsKeyId: aws.String(key)}
	if _, err := secretsmanager.NewFromConfig(account.Config).CreateSecret(t.Context(), secret); err != nil {
		t.Fatal(err)
	}

	var out, notes bytes.Buffer
	err = ConfigIAM(t.Context(), CheckOptions{File: "-", AWS: true}, Scope{"aws", "eu-west-1", "*"}, strings.NewReader("#bootswain\nversion: 1\ninclude: s3://launch/db.yaml\n"), &out, &notes)
	var p policy
	if err != nil || json.Unmarshal(out.Bytes(), &p) != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	var got []string
	for _, s := range p.Statement {
		via := ""
		if s.Condition != nil {
			via = " " + s.Condition["StringLike"]["kms:ViaService"].(string)
		}
		got = append(got, s.Sid+" "+s.Action[0]+via)
		if s.Action[0] == "kms:Decrypt" && s.Resource[0] != arn {
			t.Errorf("%s is about %s, want %s", s.Sid, s.Resource[0], arn)
		}
	}
	want := []string{
		"Include s3:GetObject", "IncludeDecrypt kms:Decrypt s3.eu-west-1.*",
		"KeyData1 ssm:GetParameter", "KeyData1Decrypt kms:Decrypt ssm.eu-west-1.*",
		"KeyData2 secretsmanager:GetSecretValue", "KeyData2Decrypt kms:Decrypt secretsmanager.eu-west-1.*",
		"KeyData3 ssm:GetParameter", "KeyData4 ssm:GetParameter",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := "note: if a customer-managed key of KMS encrypts ssm:gone, kms:Decrypt with it is needed too; cannot look: there is no such parameter\n"; notes.String() != want {
		t.Errorf("said\n%swant\n%s", notes.String(), want)
	}
}
