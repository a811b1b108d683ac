package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootswain/internal/situation"
	"bootswain/systemd"
)

// door is systemd's part of a listener.
type door struct {
	err error
	did []string
}

func (d *door) Listen(_ context.Context, l systemd.Listening) error {
	d.did = append(d.did, fmt.Sprintf("listen on %q with %q", l.Address, filepath.Base(l.Credential)))
	return d.err
}

func (d *door) Reload(_ context.Context, unit string) error {
	d.did = append(d.did, "reload "+unit)
	return nil
}

const (
	password = "basic_auth_users: {prometheus: $2y$10$qRTBuFoULoYNA7AQ/F3ck.trZBPyjV64.oA4ZsSBCIWvXuvQlQTuu}\n"
	wide     = "0.0.0.0:8273"
	open     = `listen on "0.0.0.0:8273" with "."`
	guarded  = `listen on "0.0.0.0:8273" with "web.yml"`
	closed   = `listen on "127.0.0.1:8273" with "."`
	again    = "reload bootswain-health.service"
)

// TestPorter: the listener is moved, guarded and begun anew as often as something
// is new, and never answers outside the machine while whom to keep out is unknown.
func TestPorter(t *testing.T) {
	dir := t.TempDir()
	file, asked := filepath.Join(dir, "web.yml"), filepath.Join(dir, "asked.yml")
	write := func(text string) func() {
		return func() {
			if err := os.WriteFile(asked, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := &door{}
	p := &porter{units: d, file: file}
	for _, tt := range []struct {
		name string
		do   func()
		want answering
		did  []string
		says string // the sentence's beginning
	}{
		{"nothing asked", nil, answering{}, nil, ""},
		{"an address", nil, answering{address: wide}, []string{open}, "READY health: answers on 0.0.0.0:8273, unencrypted, to everybody who reaches it."},
		{"the same", nil, answering{address: wide}, nil, "READY"},
		{"no file yet", nil, answering{wide, asked}, []string{closed}, "FAILED health: " + asked + " cannot be used: open " + asked + ": no such file or directory. Answers are on 127.0.0.1:8273 only."},
		{"the file", write(password), answering{wide, asked}, []string{guarded, again}, "DEGRADED health: answers on 0.0.0.0:8273 unencrypted, to clients with a password; passwords can be read on their way."},
		{"the file on loopback", nil, answering{"[::1]:8273", asked}, []string{`listen on "[::1]:8273" with "web.yml"`, again}, "READY health: answers on [::1]:8273 unencrypted, to clients with a password."},
		{"back", nil, answering{wide, asked}, []string{guarded, again}, "DEGRADED health: answers on"},
		{"another file", write(password + "http_server_config: {headers: {X-Frame-Options: deny}}\n"), answering{wide, asked}, []string{guarded, again}, "DEGRADED health: answers on"},
		{"a broken file", write("basic_auth_users: {a: hunter2}\n"), answering{wide, asked}, nil, "DEGRADED health: " + asked + " cannot be used: line 1: the password is no bcrypt hash; one is made by: htpasswd -nBC 10 NAME. Answers go on as it was before, on 0.0.0.0:8273 unencrypted, to clients with a password."},
		{"another daemon", func() { p = &porter{units: d, file: file} }, answering{wide, asked}, []string{guarded, again}, "DEGRADED health: " + asked + " cannot be used"},
		{"another name", nil, answering{wide, asked + "2"}, []string{closed}, "FAILED health: " + asked + "2 cannot be used"},
		{"broken from the beginning", nil, answering{wide, asked}, nil, "FAILED health: " + asked + " cannot be used"},
		{"systemd does not", func() { d.err = errors.New("no socket") }, answering{address: wide}, []string{open}, "FAILED health: cannot listen on 0.0.0.0:8273: no socket."},
		{"systemd does", func() { d.err = nil }, answering{address: wide}, []string{open}, "READY"},
		{"no longer asked", nil, answering{}, []string{`listen on "" with "."`}, "READY health: answers on 127.0.0.1:8273, unencrypted"},
	} {
		d.did = nil
		if tt.do != nil {
			tt.do()
		}
		h := p.look(t.Context(), tt.want)
		says := ""
		if h.sentence != nil {
			says = h.sentence.Error()
			if (h.sentence.Word == situation.Ready) != (h.sentence.Next == "") {
				t.Errorf("%s: next is %q", tt.name, h.sentence.Next)
			}
		}
		if !slices.Equal(d.did, tt.did) || !strings.HasPrefix(says, tt.says) || (says == "") != (tt.says == "") {
			t.Errorf("%s: did %q, want %q\nsays %s\nwant %s", tt.name, d.did, tt.did, says, tt.says)
		}
		given := strings.Contains(strings.Join(tt.did, " "), "web.yml") || len(tt.did) == 0
		info, err := os.Stat(file)
		if err == nil && info.Mode() != 0o600 {
			t.Errorf("%s: %s is %s", tt.name, file, info.Mode())
		}
		if err == nil && !given {
			t.Errorf("%s: the file is left", tt.name)
		}
	}
}

// TestAccess: a listener that was given nothing answers everybody; one whose
// credential is missing or broken does not begin.
func TestAccess(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, credentials, text string
		fault                   string
		guards                  bool
	}{
		{"none", "", "", "", false},
		{"missing", dir, "", "cannot know who may ask: open " + dir + "/web.yml: no such file or directory", false},
		{"of files", dir, "tls_server_config: {cert_file: a, key_file: b}\n", "cannot know who may ask: line 1: names a file", false},
		{"good", dir, password, "", true},
	} {
		if tt.text != "" {
			if err := os.WriteFile(filepath.Join(dir, "web.yml"), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		who, err := access(tt.credentials)
		if fault := fmt.Sprint(err); err != nil && fault != tt.fault || (err == nil) != (tt.fault == "") || (who.Guard != nil) != tt.guards {
			t.Errorf("%s: %+v, %v; want %q", tt.name, who, err, tt.fault)
		}
	}
}
