package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestEndpoints: each service that is asked is asked where the image says, by
// either of its names; what the environment says goes before it.
// https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html
func TestEndpoints(t *testing.T) {
	for name, id := range map[string]string{
		"ec2": ec2.ServiceID, "kms": kms.ServiceID, "s3": s3.ServiceID, "ssm": ssm.ServiceID,
		"secretsmanager": secretsmanager.ServiceID, "secrets-manager": secretsmanager.ServiceID,
	} {
		variable := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(id, " ", "_"))
		t.Setenv(variable, "")
		var c Config
		for _, tt := range []struct{ url, want string }{{"https://a", "https://a"}, {"https://b", "https://a"}} {
			c.AWS.Endpoints = map[string]string{name: tt.url}
			if err := c.useEndpoints(); err != nil || os.Getenv(variable) != tt.want {
				t.Errorf("%s: %s: %s=%s, %v, want %s", name, tt.url, variable, os.Getenv(variable), err, tt.want)
			}
		}
	}
}

// TestWebConfigPath: a file that is found from anywhere, or a fault; nothing that
// depends on where bootswain is started.
func TestWebConfigPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bootswain.yaml")
	for value, fault := range map[string]string{
		"/etc/bootswain/web.yml": "",
		"web.yml":                "cannot use " + path + `: health.web_config "web.yml" is not an absolute path`,
	} {
		if err := os.WriteFile(path, []byte("health: {web_config: "+value+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := loadConfig(path); (err == nil) != (fault == "") || err != nil && err.Error() != fault || c.Health.WebConfig != value {
			t.Errorf("%s: %+v, %v", value, c.Health, err)
		}
	}
}
