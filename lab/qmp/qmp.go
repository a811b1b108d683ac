// Package qmp speaks the JSON protocol that QEMU's monitor and the guest agent
// share: one object a line, commands answered in any order, and from the
// monitor also events.
//
// See https://www.qemu.org/docs/master/interop/qmp-spec.html and
// https://www.qemu.org/docs/master/interop/qemu-ga-ref.html.
package qmp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrClosed is the end of the connection: QEMU is gone.
var ErrClosed = errors.New("the connection to QEMU is closed")

// Error is a command that the other side refused.
type Error struct {
	Command string
	Class   string
	Desc    string
}

func (e *Error) Error() string { return fmt.Sprintf("cannot %s: %s", e.Command, e.Desc) }

// Event is something that happened in the machine.
type Event struct {
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// Conn is a connection to a monitor or a guest agent. Its methods may be used
// at the same time.
type Conn struct {
	rw      io.ReadWriteCloser
	onEvent func(Event)

	writing sync.Mutex

	mu      sync.Mutex // of what follows
	next    int64
	pending map[int64]chan answer
	err     error // why no more answers will come
}

type answer struct {
	ID       int64           `json:"id"`
	Return   json.RawMessage `json:"return"`
	Error    *struct{ Class, Desc string }
	Greeting json.RawMessage `json:"QMP"`
	Event
	failed error
}

// New speaks over rw. onEvent, if not nil, is called with every event, one at
// a time; it must not wait for answers.
func New(rw io.ReadWriteCloser, onEvent func(Event)) *Conn {
	c := &Conn{rw: rw, onEvent: onEvent, pending: map[int64]chan answer{}}
	go c.listen()
	return c
}

// Close ends the connection.
func (c *Conn) Close() error { return c.rw.Close() }

// listen hands answers and events out until the connection ends.
func (c *Conn) listen() {
	in := bufio.NewReader(c.rw)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			c.mu.Lock()
			c.err = ErrClosed
			c.mu.Unlock()
			c.Abandon(ErrClosed)
			return
		}
		a, ok := parse(line)
		switch {
		case !ok:
		case a.Name != "":
			if c.onEvent != nil {
				c.onEvent(a.Event)
			}
		case a.Return != nil || a.Error != nil:
			c.mu.Lock()
			if ch := c.pending[a.ID]; ch != nil {
				ch <- a
				delete(c.pending, a.ID)
			}
			c.mu.Unlock()
		}
	}
}

// parse reads one line. What stands before a byte 0xFF is the rest of an
// answer that an agent's end interrupted; a line that is not JSON is ignored.
func parse(line []byte) (answer, bool) {
	line = line[bytes.LastIndexByte(line, 0xff)+1:]
	var a answer
	return a, json.Unmarshal(line, &a) == nil
}

// Abandon fails all commands that wait for an answer: the other side forgot
// them.
func (c *Conn) Abandon(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, ch := range c.pending {
		ch <- answer{failed: err}
		delete(c.pending, id)
	}
}

// Do runs a command and stores what it returns in result, unless that is nil.
func (c *Conn) Do(ctx context.Context, command string, args, result any) error {
	return c.do(ctx, nil, command, args, result)
}

// Resync makes an agent forget what it had read of a command, and waits for
// it to answer. An agent that is not running answers when it is.
func (c *Conn) Resync(ctx context.Context) error {
	return c.do(ctx, []byte{0xff}, "guest-sync-delimited", map[string]any{"id": 1}, nil)
}

func (c *Conn) do(ctx context.Context, before []byte, command string, args, result any) error {
	ch := make(chan answer, 1)
	id, err := c.send(before, command, args, ch)
	if err != nil {
		return err
	}
	select {
	case a := <-ch:
		switch {
		case a.failed != nil:
			return fmt.Errorf("cannot %s: %w", command, a.failed)
		case a.Error != nil:
			return &Error{Command: command, Class: a.Error.Class, Desc: a.Error.Desc}
		case result == nil:
			return nil
		}
		return json.Unmarshal(a.Return, result)
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
		return fmt.Errorf("cannot %s: %w", command, ctx.Err())
	}
}

func (c *Conn) send(before []byte, command string, args any, ch chan answer) (int64, error) {
	id, err := c.expect(ch)
	if err != nil {
		return 0, fmt.Errorf("cannot %s: %w", command, err)
	}
	m := map[string]any{"execute": command, "id": id}
	if args != nil {
		m["arguments"] = args
	}
	line, err := json.Marshal(m)
	if err != nil {
		return 0, err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if _, err := c.rw.Write(append(before, append(line, '\n')...)); err != nil {
		return 0, fmt.Errorf("cannot %s: %w", command, ErrClosed)
	}
	return id, nil
}

// expect makes ch the place where the answer to the next command goes.
func (c *Conn) expect(ch chan answer) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.next++
	c.pending[c.next] = ch
	return c.next, nil
}
