package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/internal/run"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func expect(t *testing.T, what string, a Answer, status health.Status, text string) {
	t.Helper()
	if a.Status != status || !strings.Contains(a.Text, text) || !strings.HasSuffix(a.Text, ".") && !strings.HasSuffix(a.Text, ")") {
		t.Errorf("%s: %s %q, want %s %q", what, a.Status, a.Text, status, text)
	}
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/bad":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "queue\x1b[31m full\nmore")
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", 10*maxAnswer))
		case "/slow":
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	expect(t, "good", HTTP(t.Context(), server.URL+"/good"), health.Pass, "answers 200 OK.")
	expect(t, "moved", HTTP(t.Context(), server.URL+"/moved"), health.Fail, "answers 302 Found")
	expect(t, "bad", HTTP(t.Context(), server.URL+"/bad"), health.Fail, "answers 503 Service Unavailable: queue[31m full.")
	expect(t, "long", HTTP(t.Context(), server.URL+"/long"), health.Pass, "answers 200")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	expect(t, "slow", HTTP(ctx, server.URL+"/slow"), health.Fail, "does not answer: ")
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "open", TCP(t.Context(), l.Addr().String()), health.Pass, "lets in.")
	l.Close()
	expect(t, "closed", TCP(t.Context(), l.Addr().String()), health.Fail, "connection refused")
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last-run")
	expect(t, "none", File(path, time.Hour, noon), health.Fail, "no such file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, noon, noon); err != nil {
		t.Fatal(err)
	}
	expect(t, "fresh", File(path, time.Hour, noon.Add(time.Hour)), health.Pass, "changed 1h0m0s ago.")
	expect(t, "old", File(path, time.Hour, noon.Add(time.Hour+time.Second)), health.Fail, "changed 1h0m1s ago, at most 1h0m0s is asked for.")
}

// shell is a runner that answers as systemd-run does.
type shell struct {
	out string
	err error
	ran run.Cmd
}

func (s *shell) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	s.ran = c
	return []byte(s.out), s.err
}

func TestCommand(t *testing.T) {
	exit := func(code int, stderr string) error {
		return &run.ExitError{Cmd: "systemd-run …", Code: code, Stderr: stderr}
	}
	for _, tt := range []struct {
		out    string
		err    error
		status health.Status
		text   string
	}{
		{"OK: 3 jobs wait | jobs=3;10;20\nmore", nil, health.Pass, "OK: 3 jobs wait."},
		{"", nil, health.Pass, "said nothing."},
		{"WARNING: 12 jobs\n", exit(1, ""), health.Warn, "WARNING: 12 jobs."},
		{"\x1b[2JCRITICAL\n", exit(2, ""), health.Fail, "[2JCRITICAL. (exit status 2)"},
		{"", exit(127, ""), health.Fail, "said nothing. (exit status 127)"},
		{"", exit(1, "Failed to start transient service unit: x"), health.Fail, "cannot be run: Failed to start"},
		{"", fmt.Errorf("cannot finish: %w", context.DeadlineExceeded), health.Fail, "did not end within 3s."},
		{"", &run.MissingError{Name: "systemd-run"}, health.Fail, "cannot be run: systemd-run is not installed"},
		{strings.Repeat("é", 500), nil, health.Pass, "é…."},
	} {
		s := &shell{out: tt.out, err: tt.err}
		a := Command(t.Context(), s, []string{"/usr/local/bin/check", "-w", "1 ${0}"}, 3*time.Second)
		expect(t, tt.out, a, tt.status, tt.text)
		if len(a.Text) > 2*maxLine {
			t.Errorf("%d bytes are told", len(a.Text))
		}
		i := slices.Index(s.ran.Args, "--")
		if i < 0 || !slices.Equal(s.ran.Args[i+3:], []string{`"$$@" 2>/dev/null | head -c 65536; exit "$${PIPESTATUS[0]}"`, "check", "/usr/local/bin/check", "-w", "1 $${0}"}) || !slices.Contains(s.ran.Args, "--property=RuntimeMaxSec=3") {
			t.Errorf("ran %v", s.ran)
		}
	}
}

func FuzzPerfdata(f *testing.F) {
	f.Add("3 jobs wait | jobs=3;10;20 age=4.5s 'odd'=1 bad=x nan=NaN =4 inf=inf")
	f.Fuzz(func(t *testing.T, text string) {
		said, numbers := perfdata(line(text))
		if strings.ContainsAny(said, "|\n\x1b") || len(numbers) > maxNumbers {
			t.Errorf("%q %v", said, numbers)
		}
	})
}

func TestPerfdata(t *testing.T) {
	said, numbers := perfdata("3 jobs wait | jobs=3;10;20 age=4.5s 'odd'=1 bad=x nan=NaN =4 inf=inf")
	if said != "3 jobs wait" || len(numbers) != 3 || numbers["jobs"] != 3 || numbers["age"] != 4.5 || numbers["odd"] != 1 {
		t.Errorf("%q %v", said, numbers)
	}
}

// certificate makes one of a validity, in PEM.
func certificate(t *testing.T, from, to time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestCertificate(t *testing.T) {
	year := certificate(t, noon.AddDate(-1, 0, 0), noon)
	chain := slices.Concat(certificate(t, noon.AddDate(-1, 0, 0), noon.AddDate(5, 0, 0)), []byte("-----BEGIN OTHER-----\n-----END OTHER-----\n"), year)
	short := certificate(t, noon.Add(-6*day), noon)
	for _, tt := range []struct {
		name   string
		text   []byte
		before time.Duration // its end
		status health.Status
		want   string
	}{
		{"long before", year, 22 * day, health.Pass, `"app" ends in 22.0 days.`},
		{"weeks before", year, 20 * day, health.Warn, "ends in 20.0 days."},
		{"a day before", year, day, health.Fail, "ends in 1.0 days."},
		{"after", year, -day, health.Fail, `"app" ended on 2026-11-22T12:00:00Z.`},
		{"too early", year, 400 * day, health.Fail, "begins on 2025-11-22T12:00:00Z only."},
		{"the first end counts", chain, day, health.Fail, "ends in 1.0 days."},
		{"a short one, fresh", short, 5 * day, health.Pass, "ends in 5.0 days."},
		{"a short one, late", short, day, health.Warn, "ends in 1.0 days."},
		{"none", []byte("x"), 0, health.Fail, "holds no certificate in PEM."},
		{"cut short", year[:len(year)/2], 0, health.Fail, "holds no certificate in PEM."},
		{"not one", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), 0, health.Fail, "holds what is no certificate"},
	} {
		path := filepath.Join(t.TempDir(), "x.pem")
		if err := os.WriteFile(path, tt.text, 0o644); err != nil {
			t.Fatal(err)
		}
		expect(t, tt.name, Certificate(path, noon.Add(-tt.before)), tt.status, tt.want)
	}
	expect(t, "no file", Certificate(filepath.Join(t.TempDir(), "none"), noon), health.Fail, "cannot be read")
}

func FuzzCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if a := Certificates(text, noon); a.Text == "" {
			t.Error("nothing is said")
		}
	})
}
