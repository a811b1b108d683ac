package health

import (
	"context"
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

// Serve answers on l from the report at path until ctx ends. beat is called
// again and again for as long as answers can be made.
func Serve(ctx context.Context, l net.Listener, path string, beat func()) error {
	from := &source{path: path, now: time.Now}
	server := &http.Server{
		Handler:           answering(from.handler()),
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
	if err := server.Serve(newDoor(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot answer on %s: %w", l.Addr(), err)
	}
	return nil
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
