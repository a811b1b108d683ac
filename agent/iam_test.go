package agent

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
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
health: {rpo: {named: {snapshot: 6h}}}
`

func policyOf(t *testing.T, doc string) policy {
	t.Helper()
	var out, notes bytes.Buffer
	if err := ConfigIAM(t.Context(), CheckOptions{File: "-"}, Scope{"aws", "eu-west-1", "111122223333"}, strings.NewReader(doc), &out, &notes); err != nil {
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

// TestPolicyIsSmallest: no statement allows what another one does, and without any
// one of the document's demands there is a statement less.
func TestPolicyIsSmallest(t *testing.T) {
	all := policyOf(t, everything).Statement
	for i, s := range all {
		for _, other := range all[:i] {
			if slices.Equal(s.Action, other.Action) && slices.Equal(s.Resource, other.Resource) && reflect.DeepEqual(s.Condition, other.Condition) {
				t.Errorf("%s and %s allow the same", s.Sid, other.Sid)
			}
		}
	}
	for demand, sids := range map[string][]string{
		"include: s3://launch/db.yaml\n":                               {"Include"},
		"users_from: ssm:/users\n":                                     {"Users"},
		"{secretsmanager: {secret: orders/key}}, ":                     {"KeyData2"},
		", {ssm: {parameter: \"/orders/key:3\"}}":                      {"KeyData3"},
		"health: {rpo: {named: {snapshot: 6h}}}\n":                     {"Copies"},
		"  old_copy: {ebs: {restore: orders-db/1}, mount: /srv/old}\n": {"AttachOldCopy", "MakeFromOldCopy", "MakeOldCopy", "SnapshotsOldCopy", "TagNewOldCopy", "TagOldCopy"},
	} {
		if !strings.Contains(everything, demand) {
			t.Fatalf("%q is not asked for", demand)
		}
		rest := len(policyOf(t, strings.Replace(everything, demand, "", 1)).Statement)
		if rest != len(all)-len(sids) {
			t.Errorf("without %q %d statements of %d are left, want all but %v", demand, rest, len(all), sids)
		}
	}
}

// TestConfigIAMIncluded: what launch data includes is in a file of its own.
func TestConfigIAMIncluded(t *testing.T) {
	below := filepath.Join(t.TempDir(), "db.yaml")
	if err := os.WriteFile(below, []byte("version: 1\nusers_from: s3://users/list\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const doc = "#bootswain\nversion: 1\ninclude: ssm:/launch/db\n"
	for _, c := range []struct {
		doc, below, want, notes, err string
	}{
		{doc, below, `"arn:aws:s3:::users/list"`, "note: if a customer-managed key of KMS encrypts ssm:/launch/db, kms:Decrypt with it is needed too; --aws looks\nnote: if a customer-managed key of KMS encrypts s3://users/list, ", ""},
		{doc, "", `parameter/launch/db"`, "note: ssm:/launch/db asks for more, and is not looked at: give its file too, or --aws\n", ""},
		{"#bootswain\nversion: 1\n", below, "", "", "- includes nothing; what is " + below + "?"},
		{doc, "/nonexistent", "", "", "cannot read the document: open /nonexistent: no such file or directory"},
	} {
		var out, notes bytes.Buffer
		err := ConfigIAM(t.Context(), CheckOptions{File: "-", Below: c.below}, Scope{"aws", "*", "*"}, strings.NewReader(c.doc), &out, &notes)
		if !strings.Contains(out.String(), c.want) || !strings.HasPrefix(notes.String(), c.notes) || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %v\n%s%s", c.below, err, notes.String(), out.String())
		}
	}
	var out bytes.Buffer
	if err := ConfigCheck(t.Context(), CheckOptions{File: "-", Below: below}, strings.NewReader(doc), &out); err != nil || strings.Contains(out.String(), "checked without") {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if err := ConfigShow(t.Context(), CheckOptions{File: "-", Below: below}, strings.NewReader(doc), &out); err != nil || !strings.Contains(out.String(), "s3://users/list # ssm:/launch/db") {
		t.Errorf("%v: %s", err, out.String())
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
