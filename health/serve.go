package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
)

// The limits of the listener. A monitor asks for a few kilobytes every few
// seconds; who wants more is not one.
const (
	maxHeader      = 8 << 10
	maxConnections = 200
	requestLimit   = 5 * time.Second
	idleLimit      = 90 * time.Second // more than a poll a minute
	beatEvery      = 10 * time.Second
)

// Socket returns the socket that systemd opened for this process.
func Socket() (net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("cannot take over the socket: %w", err)
	}
	if len(listeners) != 1 || listeners[0] == nil {
		return nil, errors.New("cannot answer: systemd passed no socket; start bootswain-health.socket instead")
	}
	return listeners[0], nil
}

// Access is who may ask, and how. The zero value is everybody, over plain HTTP.
type Access struct {
	TLS   *tls.Config                     // nil: plain HTTP
	Guard func(http.Handler) http.Handler // nil: none
}

// Serve answers those on l who may ask, from the report at path, until ctx ends.
// beat is called again and again for as long as answers can be made.
func Serve(ctx context.Context, l net.Listener, path string, who Access, beat func()) error {
	from := &source{path: path, uptime: Uptime}
	handler := answering(from.handler())
	if who.Guard != nil {
		// Who is not let in yet is no guest with an answer under way.
		handler = who.Guard(handler)
	}
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         who.TLS,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only
		ConnContext:       withGuest,
		ReadHeaderTimeout: requestLimit,
		ReadTimeout:       requestLimit,
		WriteTimeout:      requestLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeader,
		// A client that hangs up in the middle is no news for the journal.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	go pulse(ctx, from, beat)
	if err := serve(server, newDoor(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot answer on %s: %w", l.Addr(), err)
	}
	return nil
}

func serve(s *http.Server, l net.Listener) error {
	if s.TLSConfig == nil {
		return s.Serve(l)
	}
	return s.ServeTLS(l, "", "")
}

// pulse calls beat for as long as the report can be looked at.
func pulse(ctx context.Context, from *source, beat func()) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		from.current()
		beat()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
