package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// How long whoever has other things to do waits for launch data that cannot be
// read. What goes on trying has no such limit.
const (
	mayHeal = 30 * time.Second // faults that end by themselves: a network that comes up, a service that restarts
	willNot = 5 * time.Second  // answers that are answers, and end when a person changes something
)

// Unread is why launch data could not be read. It says nothing of what was given.
type Unread struct {
	Longest time.Duration // how long it is worth waiting for this to end

	why   string
	cause error
	again bool // a new token may be taken where this one was not
}

func (u *Unread) Error() string { return "cannot read launch data: " + u.why }

// Unwrap returns what lies behind it.
func (u *Unread) Unwrap() error { return u.cause }

func unread(longest time.Duration, format string, args ...any) *Unread {
	return &Unread{Longest: longest, why: fmt.Sprintf(format, args...)}
}

// whyError is one plain sentence on what happened to the request for what.
func whyError(err error, what string, took time.Duration) *Unread {
	timeout, isNet := errors.AsType[net.Error](err)
	tooLong, isTooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case isTooLong:
		return unread(willNot, "IMDS gave more than %d bytes for %s", tooLong.Limit, what)
	case isNet && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded):
		return unread(mayHeal, "no answer from IMDS for %s in %.1f s", what, took.Seconds())
	case errors.Is(err, syscall.ECONNREFUSED):
		return unread(willNot, "IMDS refuses connections")
	case errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH):
		return unread(mayHeal, "there is no route to IMDS; the network is not up")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return unread(mayHeal, "IMDS closed the connection in the middle of %s", what)
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
		return unread(mayHeal, "IMDS closed the connection without an answer for %s", what)
	}
	return unread(mayHeal, "IMDS gave no usable answer for %s: %s", what, err)
}

func whyStatus(status int, what string) *Unread {
	u := unread(willNot, "IMDS answered %d to the request for %s", status, what)
	switch {
	case status == http.StatusForbidden:
		u.why += ": it is switched off for this instance, or out of bounds"
	case status == http.StatusUnauthorized:
		u.why += ": it did not take its own token"
		u.again = true
	case status == http.StatusNotFound:
		u.why += ": it is not an IMDSv2"
	case status >= 500:
		u.why += ": it is in trouble"
		u.Longest = mayHeal
	}
	return u
}

// hopLimit is the sentence for a service whose answers come, but not its tokens:
// the packets that carry these live for as many routers as the instance's
// options say, and one of them is a container's.
func hopLimit() *Unread {
	return unread(willNot, "IMDS answers, but its token does not arrive: a container or router lies between, and the hop limit of this instance is too small for it")
}

// Await reads the launch data again and again until it has it or ctx ends; failed
// is told of every attempt that did not. Without patience it ends with the last
// error as soon as that is not worth waiting for any longer.
func Await(ctx context.Context, src Source, patient bool, failed func(error)) (Data, error) {
	began := time.Now()
	for {
		start := time.Now()
		data, err := Fetch(ctx, src)
		if err == nil {
			return data, nil
		}
		failed(err)
		pause := 500 * time.Millisecond // the network is about to come up
		if time.Since(began) > time.Minute {
			pause = 10 * time.Second
		}
		longest := willNot
		if u, ok := errors.AsType[*Unread](err); ok {
			longest = u.Longest
		}
		if next := pause + time.Since(start); !patient && time.Since(began)+next > longest {
			return Data{}, err
		}
		select {
		case <-ctx.Done():
			return Data{}, err
		case <-time.After(pause):
		}
	}
}
