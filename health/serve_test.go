package health

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
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
	go func() { ended <- Serve(ctx, l, stored(t, sample()), Access{}, func() {}) }()
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
	wantError(t, Serve(context.Background(), l, "none", Access{}, func() {}), "cannot answer on 127.0.0.1:")
}

func TestSocketWithoutSystemd(t *testing.T) {
	t.Setenv("LISTEN_PID", "")
	_, err := Socket()
	wantError(t, err, "systemd passed no socket; start bootswain-health.socket instead")
}

// TestDoor: of three who come to a door of two places the first goes; if it is
// being answered, the second.
func TestDoor(t *testing.T) {
	for name, tt := range map[string]struct {
		asked [2]bool
		out   int
	}{
		"nobody asked":   {[2]bool{false, false}, 0},
		"first asked":    {[2]bool{true, false}, 1},
		"second asked":   {[2]bool{false, true}, 0},
		"everyone asked": {[2]bool{true, true}, 0},
	} {
		inner := &pipes{conns: make(chan net.Conn, 3)}
		d := newDoor(inner, 2)
		var ends [3]net.Conn
		for i := range 3 {
			client, server := net.Pipe()
			ends[i] = client
			inner.conns <- server
			c, err := d.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if i < 2 && tt.asked[i] {
				c.(*guest).set(true)
			}
		}
		for i, c := range ends {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := c.Read(make([]byte, 1))
			if closed := errors.Is(err, io.EOF); closed != (i == tt.out) {
				t.Errorf("%s: connection %d closed: %v, %v", name, i, closed, err)
			}
		}
	}
}

// TestFloods: those who send nothing, or a byte now and then, or do not read
// what they asked for keep nobody from an answer.
func TestFloods(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, stored(t, sample()), Access{}, func() {}) }()
	address := l.Addr().String()
	for name, says := range map[string]string{
		"nothing": "", "slow loris": "GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", "deaf": strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n", 100),
	} {
		for range maxConnections + 50 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(c, says) // the listener may have hung up already
		}
		client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for range 20 {
			began := time.Now()
			resp, err := client.Get("http://" + address + "/livez")
			if err != nil {
				t.Fatalf("%s: a good poll got nothing: %v", name, err)
			}
			resp.Body.Close()
			if took := time.Since(began); resp.StatusCode != http.StatusOK || took > time.Second {
				t.Errorf("%s: %s after %s", name, resp.Status, took)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestLimits: what no monitor sends is refused.
func TestLimits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = Serve(ctx, l, stored(t, sample()), Access{}, func() {}) }() // it ends with the test
	r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("x", 2*maxHeader))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of %d bytes: %s", 2*maxHeader, resp.Status)
	}
}

// TestPulse: the watchdog hears of a listener that can look at its report.
func TestPulse(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	beats := 0
	pulse(ctx, &source{path: "none", uptime: Uptime}, func() { beats++; stop() })
	if beats != 1 {
		t.Errorf("%d beats", beats)
	}
}

// pipes is a listener of prepared connections.
type pipes struct{ conns chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) { return <-p.conns, nil }
func (p *pipes) Close() error              { return nil }
func (p *pipes) Addr() net.Addr            { return &net.UnixAddr{} }
