package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.make(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// make signs with the authority's key, or makes the authority's own.
func (a *authority) make(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// pair returns a certificate for a name and 127.0.0.1, and its key, in PEM.
func (a *authority) pair(name string) (cert, key []byte) {
	a.t.Helper()
	c, k := a.make(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: loopback})
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return pemOf(c), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func write(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// folder is a folder with a server's certificate and key, a client's authority,
// and another pair.
func folder(t testing.TB) string {
	dir := t.TempDir()
	a := newAuthority(t, "ca")
	cert, key := a.pair("server")
	_, other := a.pair("other")
	for name, text := range map[string][]byte{"crt": cert, "key": key, "ca": pemOf(a.cert), "other": other, "empty": nil} {
		write(t, dir, name, text)
	}
	return dir
}

const (
	hash10 = "$2y$10$qRTBuFoULoYNA7AQ/F3ck.trZBPyjV64.oA4ZsSBCIWvXuvQlQTuu"
	hash18 = "$2y$18$4VeFDzXIoPHKnKTU3O3GH.N.vZu06CVqczYZ8WvfzrddFU6tGqjR."
	pairOf = "cert_file: crt, key_file: key"
)

// TestLoad: what is taken is taken by exporter-toolkit too, as it is and as a
// whole; what is refused says why and tells no value.
func TestLoad(t *testing.T) {
	dir := folder(t)
	verify := pairOf + ", client_ca_file: ca, client_auth_type: RequireAndVerifyClientCert"
	for _, tt := range []struct{ text, says, fault string }{
		{"tls_server_config: {" + pairOf + "}", "over TLS, to everybody who reaches it", ""},
		{"tls_server_config: {cert_file: " + dir + "/crt, key_file: key}", "over TLS, to everybody who reaches it", ""},
		{"tls_server_config: {" + verify + "}", "over TLS, to clients with a certificate that client_ca signed", ""},
		{"tls_server_config: {" + verify + ", client_allowed_sans: [prometheus]}\nbasic_auth_users: {a: " + hash10 + "}", "over TLS, to clients with a certificate that client_ca signed and with a password", ""},
		{"tls_server_config: {" + pairOf + ", client_auth_type: RequireClientCert}", "over TLS, to clients with any certificate, whoever signed it", ""},
		{"tls_server_config: {" + pairOf + ", client_ca_file: ca, client_auth_type: VerifyClientCertIfGiven}", "over TLS, to everybody who reaches it", ""},
		{"tls_server_config: {" + pairOf + ", min_version: TLS13, max_version: TLS13, cipher_suites: [TLS_AES_128_GCM_SHA256], curve_preferences: [X25519, CurveP256], prefer_server_cipher_suites: true}", "over TLS, to everybody who reaches it", ""},
		{"basic_auth_users: {a: " + hash10 + "}\ntls_server_config:\nhttp_server_config: {http2: false, headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=3600}}", "unencrypted, to clients with a password", ""},

		{"", "", "is empty"},
		{"[", "", "line 1: is no YAML"},
		{"tls_server_config: {}\n a: *hunter2", "", "line 1: is no YAML"},
		{"basic_auth_users: *hunter2", "", "is no YAML"},
		{"- a", "", "line 1: a mapping is needed here"},
		{"http_server_config: {http2: true}", "", "has neither tls_server_config nor basic_auth_users: it would keep nobody out"},
		{"tls_server_config:\nbasic_auth_users:\n", "", "has neither tls_server_config"},
		{"tls_server_confg: {}", "", "line 1: tls_server_confg is not known here"},
		{"Hunter2: {}", "", "line 1: a key is not known here"},
		{"1: {}", "", "line 1: a key is not text"},
		{"basic_auth_users: {a: x}\nbasic_auth_users: {}", "", "line 1: the password is no bcrypt hash"},
		{"basic_auth_users: {a: " + hash10 + "}\nbasic_auth_users: {}", "", "line 2: a key is given twice"},
		{"basic_auth_users: {a: " + hash10 + ", a: " + hash10 + "}", "", "line 1: a key is given twice"},
		{"basic_auth_users: {a: hunter2}", "", "line 1: the password is no bcrypt hash; one is made by: htpasswd -nBC 10 NAME"},
		{"basic_auth_users: {a: " + hash18 + "}", "", "line 1: the password's hash is of cost 18; with more than 12 a poll waits too long"},
		{"basic_auth_users: {a: [x]}", "", "line 1: text is needed here"},
		{"basic_auth_users: {}", "", "line 1: basic_auth_users has nobody"},
		{"basic_auth_users: {a: " + hash10 + "}\nrate_limit: {burst: 1}", "", "line 2: rate_limit is not taken"},
		{"http_server_config: {http2: maybe}", "", "line 1: true or false is needed here"},
		{"http_server_config: {headers: {X-Secret: a}}", "", "line 1: this header cannot be set"},
		{"http_server_config: {headers: {X-Frame-Options: a}}", "", `line 1: X-Frame-Options can be ["deny" "sameorigin"] only`},
		{"tls_server_config: {}", "", "line 1: needs cert_file and key_file"},
		{"tls_server_config: {min_version: TLS12}", "", "line 1: needs cert_file and key_file"},
		{"tls_server_config: {cert_file: none, key_file: key}", "", "line 1: open " + dir + "/none: no such file or directory"},
		{"tls_server_config: {cert_file: crt, key_file: other}", "", "line 1: the certificate and the key cannot be used together: private key does not match public key"},
		{"tls_server_config: {cert_file: crt, key_file: empty}", "", "line 1: text is needed here"},
		{"tls_server_config: {cert_file: crt, cert: x, key_file: key}", "", "line 1: is given a second time, in the file and by a file's name"},
		{"tls_server_config: {" + pairOf + ", min_version: TLS11}", "", "line 1: this value is not known, or not safe enough"},
		{"tls_server_config: {" + pairOf + ", min_version: TLS13, max_version: TLS12}", "", "line 1: min_version is above max_version"},
		{"tls_server_config: {" + pairOf + ", cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}", "", "line 1: this value is not known, or not safe enough"},
		{"tls_server_config: {" + pairOf + ", client_auth_type: RequireAndVerifyClientCert}", "", "line 1: needs client_ca_file: without it, whom any public authority knows would be let in"},
		{"tls_server_config: {" + pairOf + ", client_ca_file: ca}", "", "line 1: has client_ca_file, and client_auth_type does not ask"},
		{"tls_server_config: {" + pairOf + ", client_ca_file: key, client_auth_type: RequireAndVerifyClientCert}", "", "line 1: client_ca_file holds no certificate in PEM"},
		{"tls_server_config: {" + pairOf + ", client_auth_type: RequireAnyClientCert, client_allowed_sans: [a]}", "", "line 1: has client_allowed_sans, and client_auth_type does not ask who signed them"},
	} {
		path := write(t, dir, "web.yml", []byte(tt.text))
		c, whole, err := Load(path)
		if tt.fault != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.fault) || strings.Contains(err.Error(), "unter2") || strings.Contains(err.Error(), "$2y") {
				t.Errorf("%s\n%v\nwant %s", tt.text, err, tt.fault)
			}
			continue
		}
		if err != nil || c.String() != tt.says || fmt.Sprintf("%+v", c) != tt.says {
			t.Errorf("%s\n%v, %v\nwant %s", tt.text, c, err, tt.says)
			continue
		}
		again, err := Parse(whole)
		if err != nil || again.String() != tt.says || string(again.Chain()) != string(c.Chain()) || strings.Contains(string(whole), "_file") {
			t.Errorf("%s\nas a whole %v, %v\n%s", tt.text, again, err, whole)
		}
		for _, path := range []string{path, write(t, t.TempDir(), "whole.yml", whole)} {
			if err := toolkit.Validate(path); err != nil {
				t.Errorf("%s\nexporter-toolkit: %v", tt.text, err)
			}
		}
	}
	_, _, err := Load(write(t, dir, "long", make([]byte, maxFile+1)))
	if err == nil || !strings.Contains(err.Error(), "has more than 131072 bytes") {
		t.Errorf("a long file: %v", err)
	}
}

// FuzzParse: what is taken is taken by exporter-toolkit too, and no error tells
// what the file holds.
func FuzzParse(f *testing.F) {
	dir := folder(f)
	for _, text := range []string{"tls_server_config: {" + pairOf + "}", "basic_auth_users: {a: " + hash10 + "}\nhttp_server_config: {http2: false, headers: {X-Frame-Options: deny}}"} {
		_, whole, err := Load(write(f, dir, "web.yml", []byte(text)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
	}
	f.Add([]byte("a: &b [c]\n? {d: e}\n: !!binary Zg==\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if c.TLS() == nil && len(c.users) == 0 || c.TLS() != nil && c.TLS().MinVersion < tls.VersionTLS12 {
			t.Errorf("%s lets everybody in", c)
		}
		if err := toolkit.Validate(write(t, t.TempDir(), "web.yml", text)); err != nil {
			t.Errorf("exporter-toolkit: %v", err)
		}
	})
}
