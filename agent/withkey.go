package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/secret"
	"bootswain/volume"
)

// withKeyLimit bounds getting a key and what is done with it.
const withKeyLimit = 2 * time.Minute

// maxDeed bounds what is asked of the other process, in bytes.
const maxDeed = 64 << 10

// deedOrder is what the other process is to do, and deedAnswer what came of it.
type (
	deedOrder struct {
		Source []byte // of the key
		Deed   volume.Deed
	}
	deedAnswer struct {
		Recovery []byte  // ciphertext of a new recovery key
		Locked   *locked // the key cannot be had
		Fault    string  // what else went wrong
		WrongKey bool    // luks.ErrWrongKey
		Busy     bool    // luks.ErrBusy
	}
	locked struct {
		Text, Next string
		Brought    bool // secret.ErrBrought
	}
)

// withKeyElsewhere has a process of its own get a key and do something with it. The
// key never comes out of that process, but into cryptsetup; and what AWS's SDK, age
// or a program leave of it in memory, where nobody can clear it, ends with it.
func (a *Agent) withKeyElsewhere(ctx context.Context, source []byte, d volume.Deed) ([]byte, error) {
	order, err := json.Marshal(deedOrder{source, d})
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the key: %w", err)
	}
	out, err := a.run.Run(ctx, run.Cmd{Name: a.self[0], Args: a.self[1:], Stdin: order, Timeout: withKeyLimit})
	if exit, ok := errors.AsType[*run.ExitError](err); ok {
		// Its words may be a trace.
		return nil, fmt.Errorf("the process that gets the key ended with status %d", exit.Code)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get the key: %w", err)
	}
	var got deedAnswer
	if err := json.Unmarshal(out, &got); err != nil {
		return nil, errors.New("the process that gets the key gave no answer")
	}
	return got.Recovery, got.err()
}

// err is what went wrong, in the words of where it went wrong.
func (d deedAnswer) err() error {
	switch {
	case d.Locked != nil:
		s := &situation.Situation{Word: situation.Locked, Subject: "key", Text: d.Locked.Text, Next: d.Locked.Next}
		if d.Locked.Brought {
			s.Cause = secret.ErrBrought
		}
		return s
	case d.WrongKey:
		return luks.ErrWrongKey
	case d.Busy:
		return fmt.Errorf("%w: %s", luks.ErrBusy, d.Fault)
	case d.Fault != "":
		return errors.New(d.Fault)
	}
	return nil
}

// WithKey is that process: it reads what is to be done, gets the key, does it, and
// writes what came of it.
func (a *Agent) WithKey(ctx context.Context, stdin io.Reader) error {
	_ = secret.LockMemory() // who started this process has said so of itself
	var order deedOrder
	if err := json.NewDecoder(io.LimitReader(stdin, maxDeed)).Decode(&order); err != nil {
		return fmt.Errorf("cannot read what is to be done: %w", err)
	}
	key, err := secret.Ring{Run: a.run}.Unseal(ctx, order.Source)
	var answer deedAnswer
	if err == nil {
		defer key.Destroy()
		// Who ends this process ends cryptsetup with it.
		answer.Recovery, err = order.Deed.With(ctx, run.Host{InGroup: true}, devices, key)
	}
	switch s := situation.Of(err); {
	case s != nil:
		answer.Locked = &locked{s.Text, s.Next, errors.Is(s, secret.ErrBrought)}
	case err != nil:
		answer.Fault, answer.WrongKey, answer.Busy = err.Error(), errors.Is(err, luks.ErrWrongKey), errors.Is(err, luks.ErrBusy)
	}
	return json.NewEncoder(a.out).Encode(answer)
}
