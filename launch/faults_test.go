package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bootswain/lab/imds"
)

const reference = "../docs/launch-data.md"

// fault is a row of the table in the reference: what is wrong with the metadata
// service, what is said, and for how long the boot and people wait at most.
type fault struct {
	what     string
	sentence string // without "cannot read launch data: "; "" where the launch data is had
	seconds  float64
	inject   imds.Fault
	dial     dialer // nil: connects
	env      map[string]string
	none     bool // no user-data was given
}

// dialer connects, or does not, so long after the beginning.
type dialer func(ctx context.Context, since time.Duration, serve func() net.Conn) (net.Conn, error)

func refuse(why error) dialer {
	return func(context.Context, time.Duration, func() net.Conn) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", why)}
	}
}

func after(late time.Duration, before dialer) dialer {
	return func(ctx context.Context, since time.Duration, serve func() net.Conn) (net.Conn, error) {
		if since < late {
			return before(ctx, since, serve)
		}
		return serve(), nil
	}
}

func hole(ctx context.Context, _ time.Duration, _ func() net.Conn) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

var faults = []fault{
	{what: "no user-data was given (404): no fault", none: true},
	{what: "network up after 3.2 s", seconds: 3.5, dial: after(3200*time.Millisecond, refuse(syscall.ENETUNREACH))},
	{what: "network does not come up", sentence: "there is no route to IMDS; the network is not up", seconds: 30, dial: refuse(syscall.ENETUNREACH)},
	{what: "black hole", sentence: "no answer from IMDS for the token in 5.0 s", seconds: 30, dial: hole},
	{what: "connected, and silent", sentence: "no answer from IMDS for the token in 5.0 s", seconds: 30, inject: imds.Fault{Silent: true}},
	{what: "connection refused", sentence: "IMDS refuses connections", seconds: 5, dial: refuse(syscall.ECONNREFUSED)},
	{what: "connection closed", sentence: "IMDS closed the connection without an answer for the token", seconds: 30, inject: imds.Fault{Refuse: true}},
	{what: "token expired (401), then a new one", inject: imds.Fault{Expired: 1}},
	{what: "token not taken, nor a new one (401)", sentence: "IMDS answered 401 to the request for user-data: it did not take its own token", seconds: 5, inject: imds.Fault{Expired: -1}},
	{what: "switched off (403)", sentence: "IMDS answered 403 to the request for the token: it is switched off for this instance, or out of bounds", seconds: 5, inject: imds.Fault{Status: 403}},
	{what: "no IMDSv2 (404 for the token)", sentence: "IMDS answered 404 to the request for the token: it is not an IMDSv2", seconds: 5, inject: imds.Fault{Status: 404}},
	{what: "in trouble (5xx)", sentence: "IMDS answered 503 to the request for the token: it is in trouble", seconds: 30, inject: imds.Fault{Status: 503}},
	{what: "answer cut short", sentence: "IMDS closed the connection in the middle of the token", seconds: 30, inject: imds.Fault{Truncate: true}},
	{what: "hop limit", sentence: "IMDS answers, but its token does not arrive: a container or router lies between, and the hop limit of this instance is too small for it", seconds: 6, inject: imds.Fault{HopLimit: true}},
	{what: "each answer takes 2 s", seconds: 12, inject: imds.Fault{Delay: 2 * time.Second}},
	{what: "`AWS_EC2_METADATA_DISABLED=true`", sentence: "IMDS is not asked: AWS_EC2_METADATA_DISABLED is true", seconds: 5, env: map[string]string{"AWS_EC2_METADATA_DISABLED": "true"}},
}

// TestFaultTable injects each fault into a service that is otherwise sound. Its
// clock is the test's own, so the seconds are those of a real machine.
func TestFaultTable(t *testing.T) {
	for _, f := range faults {
		t.Run(f.what, func(t *testing.T) {
			for name, value := range f.env {
				t.Setenv(name, value)
			}
			synctest.Test(t, func(t *testing.T) { f.hold(t) })
		})
	}
}

func (f fault) hold(t *testing.T) {
	instance := imds.Instance{ID: "i-0abc", Region: "eu-central-1", UserData: []byte("#bootswain\nversion: 1\n"), PublicKeys: []string{"ssh-ed25519 AAAA laptop"}}
	if f.none {
		instance.UserData = nil
	}
	service := imds.New(instance)
	service.SetFault(f.inject)
	defer service.SetFault(imds.Fault{})
	network := &pipes{conns: make(chan net.Conn, 64)}
	server := &http.Server{Handler: service}
	go func() { _ = server.Serve(network) }()
	defer server.Close()

	began := time.Now()
	src := Source{dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		if f.dial == nil {
			return network.serve(), nil
		}
		return f.dial(ctx, time.Since(began), network.serve)
	}}
	attempts := 0
	data, err := Await(t.Context(), src, false, func(error) { attempts++ })
	took := time.Since(began)
	switch {
	case f.sentence == "" && (err != nil || data.InstanceID != "i-0abc" || data.Given == f.none):
		t.Errorf("got %+v, %v", data, err)
	case f.sentence != "" && (err == nil || err.Error() != "cannot read launch data: "+f.sentence):
		t.Errorf("got %v\nwant %s", err, f.sentence)
	case took.Seconds() > f.seconds:
		t.Errorf("it took %s, longer than %g s", took, f.seconds)
	case f.seconds == 30 && took < 20*time.Second:
		t.Errorf("given up after %s and %d attempts, although it may heal", took, attempts)
	}
	if f.sentence == "" || f.env != nil {
		return
	}
	// The daemon goes on, and has it when the fault is gone.
	const long = 5 * time.Minute
	go func() { time.Sleep(long); service.SetFault(imds.Fault{}) }()
	healed := Source{dial: func(ctx context.Context, kind, address string) (net.Conn, error) {
		if time.Since(began)-took >= long {
			return network.serve(), nil
		}
		return src.dial(ctx, kind, address)
	}}
	if data, err = Await(t.Context(), healed, true, func(error) {}); err != nil || !data.Given || time.Since(began)-took > long+20*time.Second {
		t.Errorf("the daemon: %+v, %v after %s", data, err, time.Since(began))
	}
}

// pipes is a network within the process.
type pipes struct{ conns chan net.Conn }

func (p *pipes) serve() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *pipes) Close() error {
	defer func() { _ = recover() }() // closed twice
	close(p.conns)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestFaultsInTheReference compares the table in the reference with this one.
func TestFaultsInTheReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("| what | what is said | the boot waits at most |\n|---|---|---|\n")
	for _, f := range faults {
		said, longest := "–", "–"
		if f.sentence != "" {
			said = "`" + f.sentence + "`"
		}
		if f.seconds > 0 {
			longest = fmt.Sprintf("%g s", f.seconds)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.what, said, longest)
	}
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), b.String()) {
		t.Errorf("%s does not hold this table:\n%s", reference, b.String())
	}
}

func TestEndpoint(t *testing.T) {
	const v4, v6, custom = "http://169.254.169.254", "http://[fd00:ec2::254]", "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		src        Source
		env        string // NAME=value, without AWS_EC2_METADATA_
		want, fail string
	}{
		"usual":                   {want: v4},
		"IPv6 by the image":       {src: Source{IPv6: true}, want: v6},
		"IPv6 by the environment": {env: "SERVICE_ENDPOINT_MODE=IPv6", want: v6},
		"IPv4 by the environment": {src: Source{IPv6: true}, env: "SERVICE_ENDPOINT_MODE=IPv4", want: v4},
		"another mode":            {env: "SERVICE_ENDPOINT_MODE=IPv5", fail: `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is "IPv5", neither IPv4 nor IPv6`},
		"by the image":            {src: Source{Endpoint: custom}, want: custom},
		"by the environment":      {src: Source{Endpoint: v4}, env: "SERVICE_ENDPOINT=" + custom, want: custom},
		"disabled":                {src: Source{Endpoint: custom}, env: "DISABLED=TRUE", fail: "AWS_EC2_METADATA_DISABLED is true"},
		"not disabled":            {env: "DISABLED=false", want: v4},
	} {
		t.Run(name, func(t *testing.T) {
			if key, value, ok := strings.Cut(c.env, "="); ok {
				t.Setenv("AWS_EC2_METADATA_"+key, value)
			}
			got, err := c.src.endpoint()
			if got != c.want || (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
				t.Errorf("got %q, %v, want %q, %q", got, err, c.want, c.fail)
			}
			var u *Unread
			if err != nil && !errors.As(err, &u) {
				t.Errorf("%v is no Unread", err)
			}
		})
	}
}
