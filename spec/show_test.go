package spec

import (
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	top := "version: 1\nrole: database\nusers: [{name: ops}]\nvolumes:\n  data:\n    encryption: {sealed: " + sealed64 + "}\nenv: {DB_PASSWORD: hunter2, TOKEN_FILE: /run/token, URL: 'mysql://a:b@c/'}\n"
	got, err := Show(Layer{Text: []byte(top)}, Layer{Name: "role database", Text: []byte(roleDoc)})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"role: database # launch data 2:7\n", "  - name: ops # launch data 3:16\n    sudo: false # default\n  - name: dba # role database 2:56\n",
		"    mount: /srv/data # role database 9:12\n", "    overdue_after: 10m # role database 10:20\n    required: true # default\n",
		"      sealed: '[sealed, ", "      count: 2 # role database 5:39\n", "  DB_PASSWORD: '[redacted]' # launch data 7:20\n", "  TOKEN_FILE: /run/token # launch data", "  URL: '[redacted]' #", "  DB_PORT: 3306 # role database 13:16\n",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	for _, secret := range []string{"hunter2", sealed64, "a:b@"} {
		if strings.Contains(string(got), secret) {
			t.Errorf("shows %s", secret)
		}
	}
	if strings.Contains(string(got), "prefill") {
		t.Errorf("prefill is no default of an EBS volume:\n%s", got)
	}
	if again, err := Parse(got); err == nil || again == nil || len(again.Users) != 2 {
		t.Errorf("what is shown is no YAML of the document: %v\n%s", err, got)
	}
	if _, err := Show(Layer{Text: []byte("version: 2\n")}); err == nil || !strings.Contains(err.Error(), "is not known to this bootswain") {
		t.Errorf("faulty: %v", err)
	}
}

func TestPlainSecrets(t *testing.T) {
	doc := `version: 1
users: [{name: ops, ssh_authorized_keys: ["` + key1 + `"]}]
# AKIAIOSFODNN7EXAMPLE
env:
  DB_PASSWORD: hunter2
  DB_PASSWORD_FILE: /run/secrets/db
  API_KEY: secretsmanager:orders/api
  COMPASS: north
  URL: https://u:hunter3@example.org/
volumes:
  data: {ebs: {ids: [vol-01234567]}, mount: /srv/data, encryption: {sealed: ` + sealed64 + `}}
  more: {ebs: {devices: [/dev/sdf]}, mount: /srv/more, encryption: {sealed: AGE-SECRET-KEY-1QQ}}
`
	var got []string
	for _, f := range PlainSecrets([]byte(doc)) {
		got = append(got, f.String())
	}
	want := `3:3: this looks like a secret in clear
5:16: env.DB_PASSWORD is called like a secret and stands in clear
9:12: this looks like a secret in clear
12:77: this looks like a secret in clear`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestPlainSecretsBeside(t *testing.T) {
	var got []string
	for _, f := range PlainSecretsBeside([]byte(`#!/bin/sh
# password: as everybody's
TOKEN=$(curl -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" http://169.254.169.254/latest/api/token)
export DB_PASSWORD=hunter2 PORT=3306
mysql --password='hunter3' --ssl
vault login --token-file=t --secret-id=orders/key -
API_KEY="ssm:/orders/api"
aws configure set aws_access_key_id AKIAIOSFODNN7EXAMPLE
lock_passwd: true
password: "$6$salt"
{name: ops, plain_text_passwd: hunter4}
private_key: |
{"token":"hunter5"}
if secret == "x" or password="": pass
COMPASS=north
`)) {
		got = append(got, f.String())
	}
	want := `4:20: DB_PASSWORD is called like a secret and stands in clear
5:19: password is called like a secret and stands in clear
8:37: this looks like a secret in clear
10:12: this looks like a secret in clear
11:32: plain_text_passwd is called like a secret and stands in clear
13:11: token is called like a secret and stands in clear`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}
