package main

import (
	"bytes"
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
