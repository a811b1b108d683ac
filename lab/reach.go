package lab

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Dial logs in over SSH. The host's key is not checked: every machine of the
// laboratory makes its own at first boot.
func (m *Machine) Dial(ctx context.Context, user string, key ssh.Signer) (*ssh.Client, error) {
	return DialSSH(ctx, m.Addr(22), user, key)
}

// DialSSH is [Machine.Dial] for a known address. A server that is not up yet, or
// that reads its settings anew, ends the connections of that moment before it hears
// whose they are, so those are made again, for some minutes. An error that [Refused]
// knows is the server's word on the key.
func DialSSH(ctx context.Context, addr, user string, key ssh.Signer) (client *ssh.Client, err error) {
	waiting, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var refused error
	err = WaitFor(waiting, "the SSH server", func(ctx context.Context) (err error) {
		if client, err = dialSSH(ctx, addr, user, key); Refused(err) {
			refused, err = err, nil
		}
		return err
	})
	return client, cmp.Or(refused, err)
}

// Refused tells whether a server did not let somebody in with a key.
func Refused(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ssh: unable to authenticate") // the package has no error of its own for it
}

func dialSSH(ctx context.Context, addr, user string, key ssh.Signer) (*ssh.Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	conn, channels, requests, err := ssh.NewClientConn(c, addr, &ssh.ClientConfig{
		User:            user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("cannot log in as %s: %w", user, err)
	}
	return ssh.NewClient(conn, channels, requests), nil
}

// SSH logs in and runs a command.
func (m *Machine) SSH(ctx context.Context, user string, key ssh.Signer, command string) (Output, error) {
	client, err := m.Dial(ctx, user, key)
	if err != nil {
		return Output{}, err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return Output{}, err
	}
	var stdout, stderr bytes.Buffer
	session.Stdout, session.Stderr = &stdout, &stderr
	err = session.Run(command)
	out := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
		out.Code, err = exit.ExitStatus(), nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out, err
}

// HTTP fetches a path from the health listener.
func (m *Machine) HTTP(ctx context.Context, path string) (status int, body []byte, err error) {
	return Get(ctx, m.Addr(HealthPort), path)
}

// HTTPS does so over TLS.
func (m *Machine) HTTPS(ctx context.Context, c *tls.Config, path string) (status int, body []byte, err error) {
	return get(ctx, &http.Client{Transport: &http.Transport{TLSClientConfig: c}}, "https://"+m.Addr(HealthPort)+path)
}

// Get fetches a path over HTTP, on a connection of its own.
func Get(ctx context.Context, addr, path string) (status int, body []byte, err error) {
	return get(ctx, http.DefaultClient, "http://"+addr+path)
}

func get(ctx context.Context, c *http.Client, url string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	r.Close = true
	a, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	body, err = io.ReadAll(a.Body)
	return a.StatusCode, body, err
}

// WaitFor tries again and again until attempt returns nil, or ctx ends; its
// error then tells how the last attempt failed. Between two attempts it rests for
// twice as long as the last one took, up to some seconds: a guest that is asked
// without pause gets nowhere.
func WaitFor(ctx context.Context, what string, attempt func(context.Context) error) error {
	for {
		began := time.Now()
		err := attempt(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(min(max(200*time.Millisecond, 2*time.Since(began)), 5*time.Second)):
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for %s any longer (%w); last: %w", what, ctx.Err(), err)
		}
	}
}
