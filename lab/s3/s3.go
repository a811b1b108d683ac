// Package s3 is S3 for the laboratory's machines: a real S3 server, versitygw,
// behind a door that knows who asks and that can be slow, deny or stay silent on
// demand.
//
// The server knows one account. The door takes whoever the laboratory gave
// credentials to, without verifying signatures, and signs each request anew for
// that account. It does not take bodies whose chunks are signed one by one, which
// Amazon's SDKs do not send over plain HTTP.
package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"bootswain/lab/fault"
)

// Server is S3 for one account in one region. It is an http.Handler.
type Server struct {
	region string
	who    func(accessKey string) (instance, role string)
	line   fault.Line[Fault]
	proxy  httputil.ReverseProxy
	signer *v4.Signer
	socket string
	http   *http.Transport

	// Account is the server's only one, which it has to be started with.
	Account aws.Credentials

	mu  sync.Mutex
	log []Request
}

// Fault is what is wrong with S3. The zero Fault is a sound one.
type Fault struct {
	fault.Common
	Denied []string // methods that no policy allows: "GET", "PUT"
}

// Request is one request that reached S3.
type Request struct {
	Time         time.Time
	Method, Path string
	Role         string // of the caller; "" for an unknown one
}

// New returns a door to the server that listens, or is going to, on a Unix
// socket. who knows callers by their access key; it returns "" for strangers.
func New(region, socket string, who func(accessKey string) (instance, role string)) *Server {
	s := &Server{
		region: region, who: who, signer: v4.NewSigner(), socket: socket,
		Account: aws.Credentials{AccessKeyID: rand.Text(), SecretAccessKey: rand.Text()},
	}
	s.http = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	s.proxy = httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: "s3"})
	}, Transport: s}
	return s
}

// Close closes connections to the server.
func (s *Server) Close() { s.http.CloseIdleConnections() }

// SetFault changes what is wrong, also for requests that wait.
func (s *Server) SetFault(f Fault) { s.line.Set(f) }

// Requests returns the requests so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// scope is what a signature says of the caller.
var scope = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/`)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := s.line.Pass(r, func(f Fault) fault.Common { return f.Common })
	if !ok {
		return
	}
	var instance, role string
	if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		instance, role = s.who(m[1])
	}
	s.mu.Lock()
	s.log = append(s.log, Request{time.Now(), r.Method, r.URL.Path, role})
	s.mu.Unlock()
	if instance == "" || slices.Contains(f.Denied, r.Method) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		return
	}
	s.proxy.ServeHTTP(w, r)
}

// RoundTrip implements http.RoundTripper: it signs for the server's account.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, h := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		r.Header.Del(h)
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	err := s.signer.SignHTTP(r.Context(), s.Account, r, hash, "s3", s.region, time.Now(), func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
	})
	if err != nil {
		return nil, err
	}
	return s.http.RoundTrip(r)
}

// MakeBucket makes a bucket, when the server answers.
func (s *Server) MakeBucket(ctx context.Context, name string) error {
	for {
		err := s.Put(ctx, name, nil)
		if _, silent := errors.AsType[*net.OpError](err); !silent {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// Put writes an object, "bucket/key", or makes a bucket.
func (s *Server) Put(ctx context.Context, path string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://s3/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Amz-Content-Sha256", fmt.Sprintf("%x", sha256.Sum256(body)))
	answer, err := s.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("cannot put %s into S3: %w", path, err)
	}
	defer answer.Body.Close()
	if words, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		return fmt.Errorf("cannot put %s into S3: %s: %s", path, answer.Status, words)
	}
	return nil
}
