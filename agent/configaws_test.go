package agent

import (
	"bytes"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"

	"bootswain/lab/awsjson"
	cloudlab "bootswain/lab/ec2"
)

// TestConfigCheckAWS asks the laboratory's EC2 as somebody on a laptop would.
func TestConfigCheckAWS(t *testing.T) {
	api := cloudlab.New(nil)
	t.Cleanup(api.Close)
	web := httptest.NewServer(api)
	t.Cleanup(web.Close)
	api.SetInstance(cloudlab.Instance{ID: here, Zone: zone})
	keys := api.Credentials(here, "somebody")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_EC2": web.URL, "AWS_ACCESS_KEY_ID": keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": keys.SecretAccessKey, "AWS_SESSION_TOKEN": keys.Token,
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	for id, in := range map[string]string{"vol-0123456789abcdef0": zone, "vol-0123456789abcdef1": "eu-central-1b"} {
		api.AddVolume(cloudlab.Volume{ID: id, Zone: in, Size: 1})
	}
	const head = "#bootswain\nversion: 1\nvolumes:\n  data: {ebs: {"
	for name, c := range map[string]struct{ ebs, stdout, fails string }{
		"sound":      {"ids: [vol-0123456789abcdef0]", "fine: 0 users, 1 volume", ""},
		"zones":      {"ids: [vol-0123456789abcdef0, vol-0123456789abcdef1]", "wrong: data: vol-0123456789abcdef1 is in eu-central-1b, not in eu-central-1a", "FAILED launch data: 1 thing in AWS would keep it from being followed."},
		"no volumes": {"tags: {set: orders}, count: 1", "wrong: data: 0 volumes carry the tags set=orders in eu-central-1a; 1 are asked for", "FAILED launch data: 1 thing in AWS"},
		"devices":    {"devices: [/dev/sdf]", "fine: 0 users, 1 volume", ""},
	} {
		var out bytes.Buffer
		err := ConfigCheck(t.Context(), CheckOptions{File: "-", AWS: true, Region: "eu-central-1", Zone: zone}, strings.NewReader(head+c.ebs+"}, mount: /srv/data}\n"), &out)
		if !strings.Contains(out.String(), c.stdout) || (err == nil) != (c.fails == "") || err != nil && !strings.HasPrefix(err.Error(), c.fails) {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDNOBODY")
	err := ConfigCheck(t.Context(), CheckOptions{File: "-", AWS: true, Region: "eu-central-1"}, strings.NewReader(head+"ids: [vol-0123456789abcdef0]}, mount: /srv/data}\n"), new(bytes.Buffer))
	if err == nil || !strings.HasPrefix(err.Error(), "WAITING data: EC2 denied DescribeVolumes") {
		t.Errorf("a stranger: %v", err)
	}
}

// TestConfigCheckAWSKeys asks the laboratory's KMS whether it would decrypt. That
// who asks is denied is no fault of the document.
func TestConfigCheckAWSKeys(t *testing.T) {
	api := awsjson.New("eu-central-1", func(string) (string, string) { return here, "somebody" })
	web := httptest.NewServer(api)
	t.Cleanup(web.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": web.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-central-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	ciphertext := base64.StdEncoding.EncodeToString(api.Encrypt(api.AddKey("alias/orders"), map[string]string{"set": "orders"}, []byte("key")))
	for name, c := range map[string]struct {
		context, key, denied, stdout, fails string
	}{
		"reachable":       {"orders", "alias/orders", "", "fine: 0 users, 1 volume\n", ""},
		"denied":          {"orders", "alias/orders", "Decrypt", "note: data: KMS denied Decrypt on alias/orders, context set=orders, to role somebody\nfine: 0 users, 1 volume\n", ""},
		"another context": {"users", "alias/orders", "", "wrong: data: KMS cannot decrypt the key: its ciphertext is damaged, or was not made with context set=users\n", "1 thing in AWS"},
		"no such key":     {"orders", "alias/none", "", "wrong: data: KMS has no alias/none in eu-central-1\n", "1 thing in AWS"},
	} {
		api.SetFault(awsjson.Fault{Denied: []string{c.denied}})
		doc := "#bootswain\nversion: 1\nvolumes:\n  data: {ebs: {devices: [/dev/sdf]}, mount: /srv/data, encryption: {kms: {ciphertext: " + ciphertext + ", context: {set: " + c.context + "}, key: " + c.key + "}}}\n"
		var out bytes.Buffer
		err := ConfigCheck(t.Context(), CheckOptions{File: "-", AWS: true}, strings.NewReader(doc), &out)
		if out.String() != c.stdout || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %v\n%swant\n%s", name, err, out.String(), c.stdout)
		}
	}
}
