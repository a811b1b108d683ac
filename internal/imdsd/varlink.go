package imdsd

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	service = "io.systemd.InstanceMetadata." // interface, as "varlinkctl introspect" prints it

	// replyLimit bounds a reply, bytes: launch data has at most 16 KiB.
	replyLimit = 1 << 20

	// idleLimit is how long a connection waits for the next question of the same
	// errand.
	idleLimit = 2 * time.Second
)

// conn is a connection to systemd-imdsd.
type conn struct {
	net.Conn
	replies *bufio.Scanner
	end     *time.Timer // closes it when nobody asks again
}

// call makes one Varlink call (varlink.org): a JSON object in each direction,
// ended by a NUL. systemd starts an instance of the daemon for each connection,
// so the next call takes the same one, if it comes soon.
func (t *Transport) call(ctx context.Context, method string, in, out any) error {
	question, err := json.Marshal(map[string]any{"method": service + method, "parameters": in})
	if err != nil {
		return err
	}
	for {
		c := t.take()
		kept := c != nil
		if !kept {
			dialled, err := (&net.Dialer{}).DialContext(ctx, "unix", t.Socket)
			if err != nil {
				return fmt.Errorf("cannot reach systemd-imdsd: %w", err)
			}
			c = &conn{Conn: dialled, replies: bufio.NewScanner(dialled)}
			c.replies.Buffer(nil, replyLimit)
			c.replies.Split(cutNUL)
		}
		cancelled := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		text, err := c.ask(append(question, 0))
		if cancelled() && err == nil {
			t.keep(c)
		} else {
			c.Close()
		}
		if err != nil && kept && ctx.Err() == nil {
			continue // the daemon has hung up since
		}
		if err != nil {
			return err
		}
		return decode(text, out)
	}
}

func (c *conn) ask(question []byte) (reply []byte, err error) {
	if _, err := c.Write(question); err != nil {
		return nil, fmt.Errorf("cannot ask systemd-imdsd: %w", err)
	}
	if !c.replies.Scan() {
		return nil, fmt.Errorf("cannot read systemd-imdsd's answer: %w", cmp.Or(c.replies.Err(), io.ErrUnexpectedEOF))
	}
	return bytes.Clone(c.replies.Bytes()), nil
}

// cutNUL is a bufio.SplitFunc.
func cutNUL(data []byte, _ bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil
}

// take returns the connection that is kept, or nil.
func (t *Transport) take() *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.idle
	t.idle = nil
	if c != nil {
		c.end.Stop()
	}
	return c
}

func (t *Transport) keep(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.idle != nil {
		c.Close()
		return
	}
	t.idle = c
	c.end = time.AfterFunc(idleLimit, func() {
		if c := t.take(); c != nil {
			c.Close()
		}
	})
}

func decode(text []byte, out any) error {
	reply := struct {
		Error      string          `json:"error"`
		Parameters json.RawMessage `json:"parameters"`
	}{}
	if err := json.Unmarshal(text, &reply); err != nil {
		return fmt.Errorf("cannot read systemd-imdsd's answer: %w", err)
	}
	if reply.Error != "" {
		return &Error{Name: strings.TrimPrefix(reply.Error, service)}
	}
	if err := json.Unmarshal(reply.Parameters, out); err != nil {
		return fmt.Errorf("cannot read systemd-imdsd's answer: %w", err)
	}
	return nil
}
