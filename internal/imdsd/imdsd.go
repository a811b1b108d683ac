// Package imdsd reaches the instance metadata service through systemd's own
// client of it (systemd-imdsd, since systemd 261), where there is one: an image
// may be set up so that no other way is open (systemd.imds.network=locked).
//
// It is an HTTP transport, so that who asks the service over HTTP, as Amazon's
// SDK does, asks as always. It never caches and never waits for the network:
// who asks knows how long that is worth. Elsewhere, and where systemd-imdsd knows
// of no metadata service, requests go their direct way.
package imdsd

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
)

// Socket is where systemd-imdsd listens (systemd-imdsd.socket).
const Socket = "/run/systemd/io.systemd.InstanceMetadata"

const (
	// prefix of the paths below which systemd-imdsd's keys lie on EC2
	// (IMDS_DATA_URL in systemd's 40-imds.hwdb).
	prefix    = "/latest"
	tokenPath = prefix + "/api/token"

	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"

	// stand-in for the token: systemd-imdsd has one of its own and shows it to
	// nobody. What carries it is meant for systemd-imdsd.
	standIn = "systemd-imdsd"
)

// hosts are the metadata service's own addresses. Who names another is not asking
// for the one that systemd-imdsd knows.
var hosts = []string{"169.254.169.254", "fd00:ec2::254"}

// Transport carries requests to the metadata service.
type Transport struct {
	Direct http.RoundTripper // the way that is no detour
	Socket string            // of systemd-imdsd; nothing need be there

	mu   sync.Mutex
	idle *conn // to systemd-imdsd; nil: none is kept
}

// CloseIdleConnections implements what http.Client.CloseIdleConnections calls.
func (t *Transport) CloseIdleConnections() {
	if d, ok := t.Direct.(interface{ CloseIdleConnections() }); ok {
		d.CloseIdleConnections()
	}
	if c := t.take(); c != nil {
		c.Close()
	}
}

// RoundTrip answers as the metadata service would. An error of systemd-imdsd's is
// an *Error.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case !ours(r):
		return t.Direct.RoundTrip(r)
	case r.Method == http.MethodPut && r.URL.Path == tokenPath:
		return t.token(r)
	case r.Header.Get(tokenHeader) == standIn:
		return t.get(r)
	}
	return t.Direct.RoundTrip(r)
}

func ours(r *http.Request) bool {
	host := r.URL.Hostname()
	return (host == hosts[0] || host == hosts[1]) && strings.HasPrefix(r.URL.Path, prefix+"/")
}

// token decides which way all that follows goes.
func (t *Transport) token(r *http.Request) (*http.Response, error) {
	if _, err := os.Stat(t.Socket); errors.Is(err, fs.ErrNotExist) {
		return t.Direct.RoundTrip(r)
	}
	var info struct{ Vendor string }
	switch err := t.call(r.Context(), "GetVendorInfo", struct{}{}, &info); {
	case is(err, "NotSupported"), is(err, "NotAvailable"):
		return t.Direct.RoundTrip(r)
	case err != nil:
		return nil, err
	}
	return answer(r, http.StatusOK, []byte(standIn)), nil
}

func (t *Transport) get(r *http.Request) (*http.Response, error) {
	ask := struct {
		Key   string `json:"key"`
		Cache bool   `json:"cache"`
		Wait  bool   `json:"wait"`
	}{Key: strings.TrimPrefix(r.URL.Path, prefix)}
	var got struct {
		Data []byte `json:"data"` // base64
	}
	switch err := t.call(r.Context(), "Get", ask, &got); {
	case is(err, "KeyNotFound"):
		return answer(r, http.StatusNotFound, nil), nil
	case err != nil:
		return nil, err
	}
	return answer(r, http.StatusOK, got.Data), nil
}

func answer(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{ttlHeader: {"21600"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// Error is what systemd-imdsd said instead of an answer.
type Error struct {
	Name string // without the interface, "CommunicationFailure"
}

func (e *Error) Error() string {
	switch e.Name {
	case "CommunicationFailure":
		return "systemd-imdsd cannot talk to it"
	case "Timeout":
		return "systemd-imdsd got no answer from it in time"
	}
	return "systemd-imdsd answers " + e.Name
}

func is(err error, name string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Name == name
}
