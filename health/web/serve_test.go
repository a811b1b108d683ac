package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bootswain/health"

	"golang.org/x/crypto/bcrypt"
)

// site is a listener as systemd has it: its socket stays while who serves it comes
// and goes.
type site struct {
	t       testing.TB
	dir     string
	ca      *authority
	socket  *os.File
	address string
	stop    func()
}

func newSite(t testing.TB, config string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), ca: newAuthority(t, "ca")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.address = l.Addr().String()
	if s.socket, err = l.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(); s.socket.Close() })
	write(t, s.dir, "ca", pemOf(s.ca.cert))
	write(t, s.dir, "web.yml", []byte(config))
	s.renew("server")
	s.serve()
	return s
}

// renew gives the server a new certificate.
func (s *site) renew(name string) {
	cert, key := s.ca.pair(name)
	write(s.t, s.dir, "crt", cert)
	write(s.t, s.dir, "key", key)
}

// serve begins as the listener does: from the whole file alone.
func (s *site) serve() {
	s.t.Helper()
	_, whole, err := Load(s.dir + "/web.yml")
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := Parse(whole)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.FileListener(s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- health.Serve(ctx, l, s.dir+"/none", health.Access{TLS: c.TLS(), Guard: c.Guard}, func() {})
	}()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
}

// trust is a client that knows the server's authority.
func (s *site) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	return &tls.Config{RootCAs: pool}
}

// with is such a client with a certificate of its own.
func (s *site) with(a *authority, name string) *tls.Config {
	pair, err := tls.X509KeyPair(a.pair(name))
	if err != nil {
		s.t.Fatal(err)
	}
	t := s.trust()
	t.Certificates = []tls.Certificate{pair}
	return t
}

// client gives up before the listener does on those who are silent.
func client(t *tls.Config) *http.Client {
	return &http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{TLSClientConfig: t, ForceAttemptHTTP2: true}}
}

// got is what a client gets: the answer's status, or its error.
type got struct {
	said    string
	proto   string
	headers http.Header
	tls     *tls.ConnectionState // nil without an answer over TLS
}

func ask(c *http.Client, url, user, password string) got {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return got{said: err.Error()}
	}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	resp, err := c.Do(r)
	if err != nil {
		return got{said: err.Error()}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	return got{resp.Status, resp.Proto, resp.Header, resp.TLS}
}

const verifying = "tls_server_config: {" + pairOf + ", client_ca_file: ca, client_auth_type: RequireAndVerifyClientCert}\n"

// TestWho: who gets an answer over TLS.
func TestWho(t *testing.T) {
	s := newSite(t, verifying+"http_server_config: {headers: {Strict-Transport-Security: max-age=3600}}\nbasic_auth_users: {prometheus: "+string(hashOf(t, "right"))+"}\n")
	both := ask(client(s.with(s.ca, "prometheus")), "https://"+s.address+"/livez", "prometheus", "right")
	if both.said != "200 OK" || both.proto != "HTTP/1.1" || both.tls.Version != tls.VersionTLS13 || both.headers.Get("Strict-Transport-Security") == "" {
		t.Errorf("both: %+v", both)
	}
	stranger := newAuthority(t, "stranger")
	old := s.with(s.ca, "prometheus")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	for _, tt := range []struct {
		name           string
		tls            *tls.Config
		user, password string
		want           string
	}{
		{"who does not know the server", &tls.Config{}, "prometheus", "right", "certificate signed by unknown authority"},
		{"no certificate", s.trust(), "prometheus", "right", "certificate required"},
		{"a certificate of another authority", s.with(stranger, "prometheus"), "prometheus", "right", "certificate required"},
		{"a certificate and no password", s.with(s.ca, "prometheus"), "", "", "401 Unauthorized"},
		{"a certificate and a wrong password", s.with(s.ca, "prometheus"), "prometheus", "wrong", "401 Unauthorized"},
		{"TLS 1.1", old, "prometheus", "right", "protocol version not supported"},
	} {
		if a := ask(client(tt.tls), "https://"+s.address+"/livez", tt.user, tt.password); !strings.HasSuffix(a.said, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, a.said, tt.want)
		}
	}
	if a := ask(client(nil), "http://"+s.address+"/livez", "prometheus", "right"); a.said != "400 Bad Request" {
		t.Errorf("without TLS: %s", a.said)
	}
}

// TestNames: of those whom the authority signed, the ones that are named get in,
// also when they take up a session.
func TestNames(t *testing.T) {
	s := newSite(t, strings.Replace(verifying, "}", ", client_allowed_sans: [prometheus]}", 1))
	for name, want := range map[string]string{"prometheus": "200 OK", "grafana": "bad certificate"} {
		known := s.with(s.ca, name)
		known.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for i := range 2 {
			c := client(known)
			a := ask(c, "https://"+s.address+"/livez", "", "")
			c.CloseIdleConnections()
			if !strings.HasSuffix(a.said, want) {
				t.Errorf("%s, connection %d: %s, want %s", name, i, a.said, want)
			} else if a.tls != nil && a.tls.DidResume != (i == 1) {
				t.Errorf("%s, connection %d: the session was taken up: %v", name, i, a.tls.DidResume)
			}
		}
	}
}

// TestReplaced: the certificate becomes another, and no poll is lost: neither one
// on a connection that was kept nor one that comes while nobody serves.
func TestReplaced(t *testing.T) {
	s := newSite(t, verifying)
	kept := client(s.with(s.ca, "prometheus"))
	url := "https://" + s.address + "/livez"
	name := func(c *http.Client) string {
		a := ask(c, url, "", "")
		if a.tls == nil {
			return a.said
		}
		return a.said + " of " + a.tls.PeerCertificates[0].Subject.CommonName
	}
	if got := name(kept); got != "200 OK of server" {
		t.Fatal(got)
	}
	s.renew("renewed")
	s.stop()
	between := make(chan string, 1)
	go func() { between <- name(client(s.with(s.ca, "prometheus"))) }()
	again := make(chan string, 1)
	go func() { again <- name(kept) }()
	s.serve()
	for who, got := range map[string]string{"kept": <-again, "between": <-between} {
		if got != "200 OK of renewed" {
			t.Errorf("%s: %s", who, got)
		}
	}
}

// TestHandshakeFloods: those who begin to speak TLS and do not go on keep nobody
// from an answer.
func TestHandshakeFloods(t *testing.T) {
	s := newSite(t, verifying)
	good := s.with(s.ca, "prometheus")
	for name, says := range map[string]string{
		"nothing": "", "half a greeting": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "no TLS": "GET /health HTTP/1.1\r\n",
	} {
		for range 250 { // more than are let in
			c, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			_, _ = io.WriteString(c, says) // the listener may have hung up already
		}
		for range 10 {
			c := client(good)
			if a := ask(c, "https://"+s.address+"/livez", "", ""); a.said != "200 OK" {
				t.Errorf("%s: %s", name, a.said)
			}
			c.CloseIdleConnections()
		}
	}
}

// TestGuessers: a good poll gets its answers while others guess as fast as they
// can, its first too, which nobody knows to be good yet.
func TestGuessers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "tls_server_config: {"+pairOf+"}\nbasic_auth_users: {prometheus: "+string(hash)+"}\n")
	url := "https://" + s.address + "/livez"
	var over atomic.Bool
	ended := make(chan int)
	const guessers = 8
	for i := range guessers {
		go func() {
			elsewhere := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%2))}}
			c := &http.Client{Transport: &http.Transport{TLSClientConfig: s.trust(), DialContext: elsewhere.DialContext}}
			n := 0
			for ; !over.Load(); n++ {
				if ask(c, url, "prometheus", fmt.Sprint(i, n)).said == "200 OK" {
					t.Error("guessed")
				}
			}
			ended <- n
		}()
	}
	c := client(s.trust())
	for i := range 20 {
		if a := ask(c, url, "prometheus", "right"); a.said != "200 OK" {
			t.Errorf("poll %d: %s", i, a.said)
		}
	}
	over.Store(true)
	guesses := 0
	for range guessers {
		guesses += <-ended
	}
	t.Logf("%d guesses", guesses)
}

// BenchmarkPoll is what a poll costs both sides: on a connection that is kept, on
// a new one that takes up a session, and on one that is new altogether.
func BenchmarkPoll(b *testing.B) {
	s := newSite(b, "tls_server_config: {"+pairOf+"}\nbasic_auth_users: {prometheus: "+string(hashOf(b, "right"))+"}\n")
	for _, bb := range []struct {
		name          string
		keep, session bool
	}{{"kept", true, false}, {"session", false, true}, {"new", false, false}} {
		b.Run(bb.name, func(b *testing.B) {
			known := s.trust()
			if bb.session {
				known.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			c := client(known)
			for b.Loop() {
				if a := ask(c, "https://"+s.address+"/livez", "prometheus", "right"); a.said != "200 OK" {
					b.Fatal(a.said)
				}
				if !bb.keep {
					c.CloseIdleConnections()
				}
			}
		})
	}
}
