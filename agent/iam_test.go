package agent

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const everything = `#bootswain
version: 1
include: s3://launch/db.yaml
users_from: ssm:/users
volumes:
  data:
    ebs: {tags: {set: orders}, count: 2}
    mount: /srv/data
    encryption:
      kms: {ciphertext: AQICAHhhYmNkZWZn, context: {set: orders-db}, key: alias/orders}
      fallback: [{secretsmanager: {secret: orders/key}}, {ssm: {parameter: "/orders/key:3"}}, {unlock: true}]
  old_copy: {ebs: {restore: orders-db/1}, mount: /srv/old}
  named: {ebs: {devices: [/dev/sdf]}, mount: /srv/named}
`

func policyOf(t *testing.T, doc string) policy {
	t.Helper()
	var out bytes.Buffer
	if err := ConfigIAM(CheckOptions{File: "-"}, Scope{"aws", "eu-west-1", "111122223333"}, strings.NewReader(doc), &out); err != nil {
		t.Fatal(err)
	}
	var p policy
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return p
}

// TestPolicy compares the actions with those that the code asks for, and holds
// that nothing is allowed for all but what IAM cannot name.
func TestPolicy(t *testing.T) {
	p := policyOf(t, everything)
	var actions []string
	for _, s := range p.Statement {
		for _, a := range s.Action {
			if !slices.Contains(actions, a) {
				actions = append(actions, a)
			}
			if slices.Equal(s.Resource, []string{"*"}) && !strings.HasPrefix(a, "ec2:Describe") {
				t.Errorf("%s is allowed for all", a)
			}
		}
		if !regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(s.Sid) || s.Effect != "Allow" {
			t.Errorf("statement %+v", s)
		}
		for _, r := range s.Resource {
			if strings.Contains(r, "volume/*") && s.Condition == nil {
				t.Errorf("%s is about any volume", s.Sid)
			}
		}
	}
	asked := []string{"s3:GetObject", "ssm:GetParameter", "kms:Decrypt", "secretsmanager:GetSecretValue"}
	files, err := filepath.Glob("../ebs/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`call\(ctx, c, "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			if a := "ec2:" + m[1]; !slices.Contains(asked, a) {
				asked = append(asked, a)
			}
		}
	}
	slices.Sort(actions)
	slices.Sort(asked)
	if !slices.Equal(actions, asked) {
		t.Errorf("the policy allows %v; asked for is %v", actions, asked)
	}
}

func TestPolicyResources(t *testing.T) {
	for address, want := range map[string][2]string{
		"s3://b.c/a/b.yaml":  {"s3:GetObject", "arn:aws:s3:::b.c/a/b.yaml"},
		"ssm:/a/b":           {"ssm:GetParameter", "arn:aws:ssm:*:1:parameter/a/b"},
		"ssm:a":              {"ssm:GetParameter", "arn:aws:ssm:*:1:parameter/a"},
		"secretsmanager:a/b": {"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:1:secret:a/b-??????"},
		"secretsmanager:arn:aws:secretsmanager:x:1:secret:ab": {"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:x:1:secret:ab"},
		"ssm:arn:aws:ssm:x:1:parameter/a":                     {"ssm:GetParameter", "arn:aws:ssm:x:1:parameter/a"},
		"":                                                    {},
	} {
		if action, resource := (Scope{"aws", "*", "1"}).reading(address); action != want[0] || resource != want[1] {
			t.Errorf("%s: %s for %s, want %v", address, action, resource, want)
		}
	}
	for _, s := range policyOf(t, everything).Statement {
		if s.Sid == "AttachData" && s.Condition["StringEquals"]["aws:ResourceTag/set"] != "orders" || s.Sid == "MakeOldCopy" && s.Condition["StringEquals"]["aws:RequestTag/bootswain:restored-from"] != "orders-db/1" {
			t.Errorf("%+v", s)
		}
	}
	keys := map[string]string{}
	for _, s := range policyOf(t, everything).Statement {
		keys[s.Sid] = s.Resource[0]
		if s.Sid == "KeyData1" && (s.Condition["StringEquals"]["kms:EncryptionContext:set"] != "orders-db" || s.Condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"] != "alias/orders") {
			t.Errorf("%+v", s)
		}
	}
	for name, want := range map[string]string{"KeyData1": "arn:aws:kms:eu-west-1:111122223333:key/*", "KeyData2": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/key-??????", "KeyData3": "arn:aws:ssm:eu-west-1:111122223333:parameter/orders/key"} {
		if keys[name] != want {
			t.Errorf("%s is about %s, want %s", name, keys[name], want)
		}
	}
	if p := policyOf(t, "#bootswain\nversion: 1\nusers_from: s3://users/list\n"); len(p.Statement) != 1 {
		t.Errorf("more than is needed: %+v", p)
	}
}
