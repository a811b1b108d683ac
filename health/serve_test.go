package health

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, stored(t, sample())) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "ok\n" {
		t.Errorf("answer %q, %v", body, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the end is no error: %v", err)
	}
}

func TestServeOnADeadSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	wantError(t, Serve(context.Background(), l, "none"), "cannot answer on 127.0.0.1:")
}

func TestSocketWithoutSystemd(t *testing.T) {
	t.Setenv("LISTEN_PID", "")
	_, err := Socket()
	wantError(t, err, "systemd passed no socket; start bootswain-health.socket instead")
}

// TestLimited: of three connections two are accepted, the third when one of
// them ends; closing ends the wait.
func TestLimited(t *testing.T) {
	inner := &pipes{conns: make(chan net.Conn, 3)}
	for range 3 {
		_, server := net.Pipe()
		inner.conns <- server
	}
	l := newLimited(inner, 2)
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() { _, err := l.Accept(); accepted <- err }()
	select {
	case err := <-accepted:
		t.Fatalf("a third connection was accepted: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	first.Close()
	first.Close() // counts once
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	go func() { _, err := l.Accept(); accepted <- err }()
	l.Close()
	wantError(t, <-accepted, net.ErrClosed.Error())
}

// pipes is a listener of prepared connections.
type pipes struct{ conns chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) { return <-p.conns, nil }
func (p *pipes) Close() error              { return nil }
func (p *pipes) Addr() net.Addr            { return &net.UnixAddr{} }
