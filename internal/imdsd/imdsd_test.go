package imdsd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// daemon answers Varlink calls as systemd-imdsd 262 does.
func daemon(t *testing.T, reply func(method, key string) string) (socket string) {
	return daemonOf(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for answerCall(t, c, in, reply) {
		}
	})
}

// daemonOf has each connection served by serve.
func daemonOf(t *testing.T, serve func(net.Conn)) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "imdsd") // a test's own name is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { serve(c); _ = c.Close() }()
		}
	}()
	return socket
}

func answerCall(t *testing.T, c net.Conn, in *bufio.Reader, reply func(method, key string) string) bool {
	text, err := in.ReadBytes(0)
	if err != nil {
		return false
	}
	var q struct {
		Method     string
		Parameters struct {
			Key   string
			Cache *bool
		}
	}
	if err := json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &q); err != nil {
		t.Errorf("a call that is no JSON: %q", text)
	}
	method := strings.TrimPrefix(q.Method, service)
	if method == "Get" && (q.Parameters.Cache == nil || *q.Parameters.Cache) {
		t.Error("asked for what may be in a cache")
	}
	_, err = io.WriteString(c, reply(method, q.Parameters.Key)+"\x00")
	return err == nil
}

// untaken is a way that must not be gone.
type untaken struct{ *testing.T }

func (u untaken) RoundTrip(r *http.Request) (*http.Response, error) {
	u.Errorf("%s %s went its direct way", r.Method, r.URL)
	return nil, errors.New("not this way")
}

func client(transport http.RoundTripper, endpoint string) *imds.Client {
	return imds.New(imds.Options{
		Endpoint: endpoint, EnableFallback: aws.FalseTernary, ClientEnableState: imds.ClientEnabled,
		Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: transport},
	})
}

func userData(t *testing.T, c *imds.Client) (string, error) {
	t.Helper()
	out, err := c.GetUserData(t.Context(), nil)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(out.Content)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), nil
}

func TestThroughTheDaemon(t *testing.T) {
	socket := daemon(t, func(method, key string) string {
		switch method + key {
		case "GetVendorInfo":
			return `{"parameters":{"vendor":"amazon-ec2"}}`
		case "Get/user-data":
			return `{"parameters":{"data":"I2Jvb3Rzd2FpbgphAGI=","interface":2}}`
		}
		return `{"error":"io.systemd.InstanceMetadata.KeyNotFound","parameters":{}}`
	})
	c := client(&Transport{Direct: untaken{t}, Socket: socket}, "")
	if got, err := userData(t, c); got != "#bootswain\na\x00b" || err != nil {
		t.Errorf("user-data: %q, %v", got, err)
	}
	_, err := c.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: "public-keys/"})
	var answered interface{ HTTPStatusCode() int }
	if !errors.As(err, &answered) || answered.HTTPStatusCode() != http.StatusNotFound {
		t.Errorf("a key that is not there: %v, want a 404", err)
	}
}

// TestOneConnection: an errand's questions share a connection, until it is closed;
// where the daemon hangs up in between, another is made.
func TestOneConnection(t *testing.T) {
	for _, perConnection := range []int{1, 2, 100} {
		var connections atomic.Int32
		socket := daemonOf(t, func(c net.Conn) {
			connections.Add(1)
			in := bufio.NewReader(c)
			for n := 0; n < perConnection && answerCall(t, c, in, func(method, _ string) string {
				if method == "GetVendorInfo" {
					return `{"parameters":{"vendor":"amazon-ec2"}}`
				}
				return `{"parameters":{"data":"YQ=="}}`
			}); n++ {
			}
		})
		way := &Transport{Direct: untaken{t}, Socket: socket}
		c := client(way, "")
		for range 5 {
			if got, err := userData(t, c); got != "a" || err != nil {
				t.Errorf("user-data: %q, %v", got, err)
			}
		}
		if want := (6 + perConnection - 1) / perConnection; int(connections.Load()) != want { // a token, and five questions
			t.Errorf("%d connections for 6 questions of at most %d each, want %d", connections.Load(), perConnection, want)
		}
		way.CloseIdleConnections()
		if way.idle != nil {
			t.Error("a connection is kept")
		}
	}
}

func TestTheDaemonFails(t *testing.T) {
	for name, want := range map[string]string{
		"CommunicationFailure": "systemd-imdsd cannot talk to it",
		"Timeout":              "systemd-imdsd got no answer from it in time",
		"Novelty":              "systemd-imdsd answers Novelty",
	} {
		socket := daemon(t, func(method, _ string) string {
			if method == "GetVendorInfo" {
				return `{"parameters":{"vendor":"amazon-ec2"}}`
			}
			return `{"error":"` + service + name + `"}`
		})
		_, err := userData(t, client(&Transport{Direct: untaken{t}, Socket: socket}, ""))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	socket := daemon(t, func(string, string) string { return `{"parameters":` })
	if _, err := userData(t, client(&Transport{Direct: untaken{t}, Socket: socket}, "")); err == nil || !strings.Contains(err.Error(), "cannot read systemd-imdsd's answer") {
		t.Errorf("an answer that ends early: %v", err)
	}
}

// TestTheDirectWay is gone where there is no systemd-imdsd, where it knows of no
// metadata service, and to any address but the metadata service's own.
func TestTheDirectWay(t *testing.T) {
	real := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(ttlHeader, "21600")
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path)
	}))
	defer real.Close()
	unsupported := daemon(t, func(string, string) string { return `{"error":"` + service + `NotSupported"}` })
	never := daemon(t, func(string, string) string { t.Error("the daemon was asked"); return `{}` })
	for name, c := range map[string]*imds.Client{
		"no daemon":       client(&Transport{Direct: to(real), Socket: "/nonexistent/socket"}, ""),
		"not supported":   client(&Transport{Direct: to(real), Socket: unsupported}, ""),
		"another address": client(&Transport{Direct: to(real), Socket: never}, "http://127.0.0.1:1"),
	} {
		if got, err := userData(t, c); got != "GET /latest/user-data" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// to sends requests to a test's server, whatever address they name.
func to(s *httptest.Server) http.RoundTripper {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
	}}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"parameters":{"data":"YQ=="}}`))
	f.Add([]byte(`{"error":"io.systemd.InstanceMetadata.KeyNotFound","parameters":{}}`))
	f.Add([]byte(`{"parameters":{"data":7}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got struct{ Data []byte }
		if err := decode(text, &got); err == nil && len(got.Data) > len(text) {
			t.Errorf("%d bytes of data out of %d", len(got.Data), len(text))
		}
	})
}
