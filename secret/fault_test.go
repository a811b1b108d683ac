package secret

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/lab/awsjson"
	"bootswain/lab/fault"
	"bootswain/lab/imds"
)

// short is the limit of a request in these tests; what is shipped has ten times
// that.
const short = time.Second

// faultRow is a row of the table in docs/encryption.md.
type faultRow struct {
	source, injected, says string
	seconds                int // longest time; 0: at once
}

// faultTable is what is promised of every source of a key.
var faultTable = []faultRow{
	{"sealed", "to others, `sealed_to` given", "the key is sealed to age1aaa; this image holds age1bbb", 0},
	{"sealed", "to others", "the key is sealed to another recipient (an X25519 recipient); this image holds age1bbb", 0},
	{"sealed", "cut off or changed", "the sealed key is damaged: ", 0},
	{"sealed", "the image has no identity", "this image holds no identity (/etc/bootswain/identity)", 0},

	{"kms", "denied", "KMS denied Decrypt on alias/orders, context set=orders-db, to role db-prod", 0},
	{"kms", "throttled", "kms.eu-west-1 throttles Decrypt (ThrottlingException)", 10},
	{"kms", "internal error", "kms.eu-west-1 is in trouble: it answered Decrypt with InternalFailure", 10},
	{"kms", "silent", "kms.eu-west-1: no answer in 10 s; NAT or VPC endpoint missing", 10},
	{"kms", "hangs up", "kms.eu-west-1 gave no usable answer to Decrypt: EOF", 10},
	{"kms", "no connection", "kms.eu-west-1: connection refused; NAT or VPC endpoint missing", 10},
	{"kms", "no such alias", "KMS has no alias/none in eu-west-1", 0},
	{"kms", "another context", "KMS cannot decrypt the key: its ciphertext is damaged, or was not made with context set=orders", 0},
	{"kms", "another key", "KMS cannot decrypt the key: its ciphertext was not made with alias/other", 0},
	{"kms", "key disabled", "kms.eu-west-1 refused Decrypt: ", 0},
	{"kms", "instance without a role", "kms.eu-west-1: no credentials: this instance has no role", 0},
	{"kms", "metadata service off", "kms.eu-west-1: no credentials: the metadata service gives none", 5},
	{"kms", "metadata service silent", "kms.eu-west-1: no credentials: the metadata service did not answer in 5 s", 5},
	{"kms", "not a key", "KMS's alias/orders holds no volume key: cannot use a key of 5 bytes: want 32 to 4096", 0},

	{"secretsmanager", "denied", "Secrets Manager denied GetSecretValue on orders/key, to role db-prod", 0},
	{"secretsmanager", "throttled", "secretsmanager.eu-west-1 throttles GetSecretValue (ThrottlingException)", 10},
	{"secretsmanager", "internal error", "secretsmanager.eu-west-1 is in trouble: it answered GetSecretValue with InternalFailure", 10},
	{"secretsmanager", "silent", "secretsmanager.eu-west-1: no answer in 10 s; NAT or VPC endpoint missing", 10},
	{"secretsmanager", "hangs up", "secretsmanager.eu-west-1 gave no usable answer to GetSecretValue: EOF", 10},
	{"secretsmanager", "no connection", "secretsmanager.eu-west-1: connection refused; NAT or VPC endpoint missing", 10},
	{"secretsmanager", "no such secret", "Secrets Manager has no none in eu-west-1", 0},
	{"secretsmanager", "not a key", "Secrets Manager's orders/short holds no volume key: cannot use a key of 5 bytes", 0},

	{"ssm", "denied", "Systems Manager denied GetParameter on parameter /orders/key, to role db-prod", 0},
	{"ssm", "throttled", "ssm.eu-west-1 throttles GetParameter (ThrottlingException)", 10},
	{"ssm", "internal error", "ssm.eu-west-1 is in trouble: it answered GetParameter with InternalFailure", 10},
	{"ssm", "silent", "ssm.eu-west-1: no answer in 10 s; NAT or VPC endpoint missing", 10},
	{"ssm", "hangs up", "ssm.eu-west-1 gave no usable answer to GetParameter: EOF", 10},
	{"ssm", "no connection", "ssm.eu-west-1: connection refused; NAT or VPC endpoint missing", 10},
	{"ssm", "no such parameter", "Systems Manager has no parameter /none in eu-west-1", 0},
	{"ssm", "not a key", "Systems Manager's parameter /orders/short holds no volume key: cannot use a key of 5 bytes", 0},

	{"command", "not in the image", "its key comes from /usr/local/bin/key, which is not run: this image has no /usr/local/bin/key", 0},
	{"command", "writable by others", "its key comes from /usr/local/bin/key, which is not run: others than root can write to /usr/local/bin/key", 0},
	{"command", "in a folder writable by others", "its key comes from /usr/local/bin/key, which is not run: others than root can write to /usr/local/bin", 0},
	{"command", "not root's", "its key comes from /usr/local/bin/key, which is not run: /usr/local/bin/key does not belong to root", 0},
	{"command", "fails", "/usr/local/bin/key ended with exit status 3: vault is sealed", 0},
	{"command", "does not end", "/usr/local/bin/key did not end in 30 s", 30},
	{"command", "not a key", "/usr/local/bin/key holds no volume key: cannot use a key of 5 bytes: want 32 to 4096", 0},

	{"unlock", "nobody has brought it yet", "its key is brought from outside", 0},
}

// seen are the sentences that came of the faults, by source and fault.
type seen struct {
	t     *testing.T
	mu    sync.Mutex
	times map[string]time.Duration
	says  map[string]string
}

// ask gets a key that cannot be had, and notes what is said of it.
func (s *seen) ask(r Ring, source, injected string, said []byte) {
	began := time.Now()
	_, err := r.Unseal(s.t.Context(), said)
	took := time.Since(began)
	isLocked(s.t, err, "")
	s.mu.Lock()
	defer s.mu.Unlock()
	if sit := situation.Of(err); sit != nil {
		s.says[source+": "+injected], s.times[source+": "+injected] = strings.TrimSuffix(sit.Text, ". Data untouched."), took
	}
}

// TestFaultTable injects every fault, and holds what is said and how long it takes
// against the table, and the table against the documentation.
func TestFaultTable(t *testing.T) {
	s := &seen{t: t, times: map[string]time.Duration{}, says: map[string]string{}}
	s.sealed()
	s.aws()
	s.command()
	s.ask(Ring{}, "unlock", "nobody has brought it yet", said(t, "unlock", true))
	var table strings.Builder
	for _, row := range faultTable {
		name := row.source + ": " + row.injected
		switch says, there := s.says[name]; {
		case !there:
			t.Errorf("%s was not injected", name)
		case !strings.HasPrefix(says, row.says):
			t.Errorf("%s says: %s\nwant %s", name, says, row.says)
		}
		longest := "at once"
		limit := short
		if row.seconds > 0 {
			longest = fmt.Sprint(row.seconds, " s")
			limit += time.Duration(row.seconds) * time.Second
		}
		t.Logf("%.1f s %s: %s", s.times[name].Seconds(), name, s.says[name])
		if s.times[name] > limit {
			t.Errorf("%s took %v, longest is %v", name, s.times[name], limit)
		}
		delete(s.says, name)
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", row.source, row.injected, strings.TrimRight(row.says, ": "), longest)
	}
	for name := range s.says {
		t.Errorf("%s is not in the table", name)
	}
	doc, err := os.ReadFile("../docs/encryption.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(doc, []byte("|---|---|---|---|\n"+table.String()+"\n")) {
		t.Errorf("docs/encryption.md does not hold this table:\n%s", &table)
	}
}

func (s *seen) sealed() {
	line, to := x25519(s.t)
	_, other := x25519(s.t)
	r := Ring{identity: identity(s.t, line)}
	k := canaryKey(s.t)
	s.ask(r, "sealed", "to others, `sealed_to` given", []byte(fmt.Sprintf(`{"sealed":%q,"sealed_to":["age1aaa"]}`, base64.StdEncoding.EncodeToString(sealed(s.t, k, other)))))
	s.ask(r, "sealed", "to others", sealed(s.t, k, other))
	s.ask(r, "sealed", "cut off or changed", flip(sealed(s.t, k, to), 200))
	none := filepath.Join(s.t.TempDir(), "identity")
	s.ask(Ring{identity: none}, "sealed", "the image has no identity", sealed(s.t, k, to))
	for name, says := range s.says {
		s.says[name] = strings.NewReplacer(to, "age1bbb", none, IdentityPath).Replace(says)
	}
}

func (s *seen) aws() {
	region := newRegion(s.t)
	region.AddKey("alias/other")
	context := map[string]string{"set": "orders-db"}
	kms := func(plaintext, key string, context map[string]string) []byte {
		return said(s.t, "kms", kmsKey{region.Encrypt(region.key, map[string]string{"set": "orders-db"}, []byte(plaintext)), context, key})
	}
	sources := map[string][]byte{
		"kms":            kms(canary, "alias/orders", context),
		"secretsmanager": said(s.t, "secretsmanager", managedSecret{"orders/key", ""}),
		"ssm":            said(s.t, "ssm", parameter{"/orders/key"}),
	}
	// round asks all three at the same time.
	round := func(injected string, limit time.Duration) {
		var all sync.WaitGroup
		for source, said := range sources {
			all.Go(func() { s.ask(Ring{limit: limit}, source, injected, said) })
		}
		all.Wait()
	}
	everything := []string{"*"}
	for injected, f := range map[string]awsjson.Fault{
		"denied": {Denied: everything}, "throttled": {Throttle: everything}, "internal error": {Broken: everything},
		"silent": {Common: fault.Common{Silent: true}}, "hangs up": {Common: fault.Common{Refuse: true}},
	} {
		limit := time.Duration(0)
		if f.Silent {
			limit = short
		}
		region.SetFault(f)
		round(injected, limit)
	}
	region.SetFault(awsjson.Fault{})
	for source := range sources {
		s.tenfold(source + ": silent")
	}
	s.ask(Ring{}, "kms", "no such alias", kms(canary, "alias/none", context))
	s.ask(Ring{}, "kms", "another context", kms(canary, "alias/orders", map[string]string{"set": "orders"}))
	s.ask(Ring{}, "kms", "another key", kms(canary, "alias/other", context))
	s.ask(Ring{}, "kms", "not a key", kms("short", "alias/orders", context))
	region.AddSecret("orders/short", "short")
	region.AddParameter("/orders/short", "short")
	s.ask(Ring{}, "secretsmanager", "no such secret", said(s.t, "secretsmanager", managedSecret{"none", ""}))
	s.ask(Ring{}, "secretsmanager", "not a key", said(s.t, "secretsmanager", managedSecret{"orders/short", ""}))
	s.ask(Ring{}, "ssm", "no such parameter", said(s.t, "ssm", parameter{"/none"}))
	s.ask(Ring{}, "ssm", "not a key", said(s.t, "ssm", parameter{"/orders/short"}))
	region.EnableKey(region.key, false)
	s.ask(Ring{}, "kms", "key disabled", sources["kms"])

	region.imds.Delete("meta-data/iam/security-credentials/")
	region.imds.Delete("meta-data/iam/security-credentials/db-prod")
	s.ask(Ring{}, "kms", "instance without a role", sources["kms"])
	s.t.Setenv("AWS_REGION", "eu-west-1") // else the first question is for the region
	region.imds.SetFault(imds.Fault{Status: http.StatusForbidden})
	s.ask(Ring{}, "kms", "metadata service off", sources["kms"])
	region.imds.SetFault(imds.Fault{Silent: true})
	s.ask(Ring{}, "kms", "metadata service silent", sources["kms"])
	region.imds.SetFault(imds.Fault{})
	region.imds.SetRole("db-prod", role)
	region.web.Close()
	round("no connection", 0)
}

// tenfold has a sentence say what it says with the limit of what is shipped.
func (s *seen) tenfold(name string) {
	s.says[name] = strings.Replace(s.says[name], "in 1 s", "in 10 s", 1)
}

// slow is a program that does not end.
type slow struct{}

func (slow) Run(context.Context, run.Cmd) ([]byte, error) {
	return nil, fmt.Errorf("cannot finish: %w", context.DeadlineExceeded)
}

func (s *seen) command() {
	if os.Getuid() != 0 {
		s.t.Skip("whose a program is only root can say")
	}
	top := s.t.TempDir()
	bin := filepath.Join(top, "usr/local/bin")
	program := filepath.Join(bin, "key")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		s.t.Fatal(err)
	}
	r := Ring{Run: run.Host{}, top: top}
	try := func(injected, script string, r Ring, prepare func() error) {
		if script != "" {
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
				s.t.Fatal(err)
			}
		}
		if err := prepare(); err != nil {
			s.t.Fatal(err)
		}
		s.ask(r, "command", injected, said(s.t, "command", []string{program, "orders"}))
		name := "command: " + injected
		s.says[name] = strings.ReplaceAll(s.says[name], top, "")
	}
	nothing := func() error { return nil }
	try("not in the image", "", r, nothing)
	try("fails", "echo vault is sealed >&2; echo more >&2; exit 3", r, nothing)
	try("not a key", "printf short", r, nothing)
	try("does not end", "exit 0", Ring{Run: slow{}, top: top}, nothing)
	try("writable by others", "exit 0", r, func() error { return os.Chmod(program, 0o775) })
	for _, prepare := range []error{os.Chmod(program, 0o755), os.Chmod(bin, 0o777)} {
		if prepare != nil {
			s.t.Fatal(prepare)
		}
	}
	try("in a folder writable by others", "", r, nothing)
	try("not root's", "exit 0", r, func() error { return os.Chown(program, 1, 1) })
}
