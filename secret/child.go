package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"bootswain/internal/run"
	"bootswain/internal/situation"
)

// childLimit bounds getting one key. All that a key's source may wait for is less.
const childLimit = 45 * time.Second

// maxSaid bounds what a source says, in bytes.
const maxSaid = 64 << 10

// Child gets keys in a process of its own, for which Give answers. What AWS's
// SDK, a program or age leave in memory on the way, and cannot be cleared, ends
// with that process; only the key itself comes out of it, through a pipe.
type Child struct {
	Run  run.Runner
	Name string // this program again
	Args []string
}

// answer is what comes out of the child where no key does.
type answer struct {
	Text    string `json:"text"`
	Next    string `json:"next"`
	Brought bool   `json:"brought,omitempty"` // ErrBrought
}

// The first byte of what comes out of the child.
const (
	isKey    = '+' // the key follows
	isAnswer = '-' // an answer follows
)

// Unseal gets the key from one source. What cannot be had is a LOCKED situation.
func (c Child) Unseal(ctx context.Context, said []byte) (*Key, error) {
	out, err := c.Run.Run(ctx, run.Cmd{Name: c.Name, Args: c.Args, Stdin: said, Timeout: childLimit})
	defer clear(out)
	if err != nil {
		return nil, fmt.Errorf("cannot get the key: %w", err)
	}
	if len(out) > 0 && out[0] == isKey {
		return New(out[1:])
	}
	var a answer
	if len(out) == 0 || out[0] != isAnswer || json.Unmarshal(out[1:], &a) != nil {
		return nil, errors.New("cannot get the key: the process that gets it gave no answer")
	}
	s := &situation.Situation{Word: situation.Locked, Subject: "key", Text: a.Text, Next: a.Next}
	if a.Brought {
		s.Cause = ErrBrought
	}
	return nil, s
}

// Give is the child: it reads what a source says, gets the key and writes it.
func Give(ctx context.Context, r Ring, in io.Reader, out io.Writer) error {
	_ = LockMemory() // who started the child has said so of itself
	said, err := io.ReadAll(io.LimitReader(in, maxSaid))
	if err != nil {
		return fmt.Errorf("cannot read where the key is: %w", err)
	}
	k, err := r.Unseal(ctx, said)
	if s := situation.Of(err); s != nil {
		text, err := json.Marshal(answer{s.Text, s.Next, errors.Is(s, ErrBrought)})
		if err != nil {
			return err
		}
		_, err = out.Write(append([]byte{isAnswer}, text...))
		return err
	}
	if err != nil {
		return err
	}
	defer k.Destroy()
	return k.Use(func(b []byte) error {
		framed := append(append(make([]byte, 0, 1+len(b)), isKey), b...)
		defer clear(framed)
		_, err := out.Write(framed)
		return err
	})
}
