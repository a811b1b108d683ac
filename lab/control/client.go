package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Client asks the owner of one laboratory.
type Client struct {
	http http.Client
}

// ErrNotUp is a laboratory that nobody runs.
var ErrNotUp = errors.New("this laboratory is not up; start it with: lab up")

// NewClient returns a client for the laboratory in dir; it connects with each
// call anew.
func NewClient(dir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket(dir))
	}
	return &Client{http: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Call runs a verb. Progress goes to log, what it returns to result unless
// that is nil. When ctx ends, the verb is given up.
func (c *Client) Call(ctx context.Context, log io.Writer, verb string, args, result any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lab/"+verb, bytes.NewReader(body))
	if err != nil {
		return err
	}
	a, err := c.http.Do(r)
	switch {
	case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED):
		return ErrNotUp
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	}
	defer a.Body.Close()
	return read(a.Body, log, result)
}

// read follows an answer to its end.
func read(body io.Reader, log io.Writer, result any) error {
	for in := json.NewDecoder(body); ; {
		var m message
		switch err := in.Decode(&m); {
		case err != nil:
			return fmt.Errorf("the laboratory went away: %w", err)
		case m.Error != "":
			return errors.New(m.Error)
		case m.Result == nil:
			fmt.Fprintln(log, m.Line)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(m.Result, result)
		}
	}
}

// WaitUp waits until the owner answers; ended tells why it never will.
func WaitUp(ctx context.Context, c *Client, ended func() error) error {
	for {
		err := c.Call(ctx, io.Discard, "status", struct{}{}, nil)
		if !errors.Is(err, ErrNotUp) {
			return err
		}
		if err := ended(); err != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Down takes the laboratory in dir down and waits until nothing is left of it.
func Down(ctx context.Context, dir string) error {
	if err := NewClient(dir).Call(ctx, io.Discard, "down", struct{}{}, nil); err != nil {
		return err
	}
	for {
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
