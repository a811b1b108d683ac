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
	maxConnections = 64
	requestLimit   = 5 * time.Second
	idleLimit      = 30 * time.Second
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

// Serve answers on l from the report at path until ctx ends.
func Serve(ctx context.Context, l net.Listener, path string) error {
	server := &http.Server{
		Handler:           Handler(path, time.Now),
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
	if err := server.Serve(newLimited(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot answer on %s: %w", l.Addr(), err)
	}
	return nil
}
