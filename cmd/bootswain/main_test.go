package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

const sound = `#bootswain
version: 1
volumes:
  data:
    ebs: {ids: [vol-0123456789abcdef0]}
    mount: /srv/data
mysql: {volume: data}
`

const archive = `Content-Type: multipart/mixed; boundary=b
MIME-Version: 1.0

--b
Content-Type: text/x-bootswain

version: 1
--b
Content-Type: text/x-shellscript

#!/bin/sh
export DB_PASSWORD=hunter2
--b--
`

func TestCommandLine(t *testing.T) {
	for name, c := range map[string]struct {
		args           string
		stdin          string
		code           int
		stdout, stderr string // what must be in them
	}{
		"no command":           {"", "", 0, "Exit codes:", ""},
		"help of a command":    {"apply --help", "", 0, "3  refused: going on could destroy data", ""},
		"unknown command":      {"aply", "", 2, "", `unknown command "aply"`},
		"unknown flag":         {"plan --form x", "", 2, "", "unknown flag: --form; see: bootswain plan --help"},
		"too many names":       {"plan data more", "", 2, "", "accepts at most 1 arg(s), received 2"},
		"no name":              {"down", "", 2, "", "accepts 1 arg(s), received 0; see: bootswain down --help"},
		"sound document":       {"config check -", sound, 0, "fine: 0 users, 1 volume", ""},
		"faults":               {"config check -", sound + "volums: {}\nhealth: {lisen: x}\n", 5, "8:1: volums unknown (volumes?)\n9:10: health.lisen unknown (listen?)", "FAILED launch data 8:1: volums unknown (volumes?), 1 more."},
		"somebody else's":      {"config check -", "#!/bin/sh\n", 1, "", "no bootswain document"},
		"too long":             {"config check -", sound + strings.Repeat("#", 16<<10), 5, "1:1: the document has 16506 bytes; EC2 takes 16384 (gzip -9 makes it ", "FAILED launch data 1:1: the document has 16506 bytes"},
		"too long by far":      {"config check -", sound + "# " + noise(), 5, "(put it into S3 and include: it)", "EC2 takes 16384"},
		"long, and included":   {"config check --included -", sound + strings.Repeat("#", 16<<10), 0, "fine: 0 users, 1 volume", ""},
		"secret":               {"config check -", sound + "env: {DB_PASSWORD: hunter2}\n", 0, "warning: 8:20: env.DB_PASSWORD is called like a secret and stands in clear: whoever may describe the instance", ""},
		"secret beside it":     {"config check -", "#cloud-config\npassword: hunter2\nbootswain: {version: 1}\n", 0, "warning: 2:11: password is called like a secret and stands in clear: whoever may describe the instance", ""},
		"secret in a script":   {"config check -", archive, 0, "warning: part 2 (text/x-shellscript) 2:20: DB_PASSWORD is called like a secret", ""},
		"no such role":         {"config check --roles /nonexistent -", sound + "role: app\n", 5, `8:7: role "app" is not in /nonexistent (there are none)`, ""},
		"shown":                {"config show -", sound, 0, "    overdue_after: 5m # default\n", ""},
		"shown, faulty":        {"config show -", sound + "volums: {}\n", 5, "8:1: volums unknown (volumes?)", "FAILED launch data"},
		"shown, nothing there": {"config show", "", 1, "", "cannot read kept launch data"},
		"policy":               {"config iam --region eu-west-1 --account 111122223333 -", sound + "include: ssm:/launch/db\n", 0, `"arn:aws:ssm:eu-west-1:111122223333:parameter/launch/db"`, ""},
		"no policy":            {"config iam -", sound, 1, "", "asks AWS for nothing: the instance needs no role for it"},
		"policy of what":       {"config iam -", "#bootswain\nversion: 2\n", 5, "2:10: version", "FAILED launch data 2:10"},
		"schema":               {"config schema", "", 0, `"$schema": "https://json-schema.org/draft/2020-12/schema"`, ""},
		"no document":          {"config check /nonexistent", "", 1, "", "cannot read the document"},
		"sealed to nobody":     {"seal", "", 2, "", "seal to whom?"},
		"recovery key given":   {"key rotate data --recovery --sealed key", "", 2, "", "a recovery key is made anew"},
		"to whom":              {"key rotate data --to age1nobody", "", 2, "", "--to is about the recovery key"},
		"two keys on stdin":    {"key rotate data --sealed - --with-key", "", 2, "", "standard input cannot be both keys"},
		"header without file":  {"key header backup data", "", 2, "", "accepts 2 arg(s), received 1"},
		"no image":             {"image check /nonexistent", "", 1, "", "cannot check the image"},
		"sealed to a stranger": {"seal --to age1nobody --random", "", 1, "", "age1nobody"},
	} {
		var stdout, stderr bytes.Buffer
		code := execute(t.Context(), strings.Fields(c.args), strings.NewReader(c.stdin), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit code %d, want %d\nstdout, want %q:\n%s\nstderr, want %q:\n%s", name, code, c.code, c.stdout, stdout.String(), c.stderr, stderr.String())
		}
	}
}

// noise is what nothing makes smaller.
func noise() string {
	b := make([]byte, 32<<10)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// TestSeal opens what was sealed with age itself.
func TestSeal(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Repeat("k", 32)
	var stdout, stderr bytes.Buffer
	args := []string{"seal", "--to", identity.Recipient().String()}
	if code := execute(t.Context(), args, strings.NewReader(key), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	text, ok := strings.CutPrefix(stdout.String(), "encryption:\n  sealed: ")
	text, to, named := strings.Cut(text, "\n")
	sealed, err := base64.StdEncoding.DecodeString(text)
	if !ok || !named || to != "  sealed_to: ["+args[2]+"]\n" || err != nil {
		t.Fatalf("not a stanza: %q, %v", stdout.String(), err)
	}
	opened, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(opened); err != nil || string(got) != key {
		t.Errorf("opened %q, %v, want the key", got, err)
	}
	if strings.Contains(stdout.String()+stderr.String(), key) {
		t.Error("the key was printed")
	}
}
