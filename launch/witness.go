package launch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// witness is a transport that remembers how the last request ended: the SDK's
// errors hide the status and the cause when the request for the token fails.
// It also cuts off answers that are longer than any IMDS gives. It serves one
// request at a time.
type witness struct {
	transport http.RoundTripper

	forToken  bool
	connected bool  // whoever it is took the connection
	status    int   // 0: there was no answer
	err       error // of sending, or of reading the body
}

func (w *witness) forget() { w.forToken, w.connected, w.status, w.err = false, false, 0, nil }

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	w.forget()
	w.forToken = strings.HasSuffix(req.URL.Path, "/api/token")
	var connected atomic.Bool // a dial may outlive its request
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	resp, err := w.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	w.connected = connected.Load()
	if err != nil {
		w.err = err
		return nil, err
	}
	w.status = resp.StatusCode
	resp.Body = &watchedBody{ReadCloser: http.MaxBytesReader(nil, resp.Body, maxUserData), w: w}
	return resp, nil
}

type watchedBody struct {
	io.ReadCloser
	w *witness
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.w.err = err
	}
	return n, err
}
