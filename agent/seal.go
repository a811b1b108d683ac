package agent

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"bootswain/secret"
)

// SealOptions say to whom a key is sealed, and whether it is made new.
type SealOptions struct {
	To     []string // age recipients
	Random bool     // make a random key instead of reading one
}

// Seal reads or makes a volume key, seals it and prints the stanza for launch
// data. The key itself is never printed.
func Seal(o SealOptions, stdin io.Reader, stdout io.Writer) error {
	if err := secret.LockMemory(); err != nil {
		return err
	}
	key, err := keyFor(o, stdin)
	if err != nil {
		return err
	}
	defer key.Destroy()
	sealed, err := secret.Seal(o.To, key)
	if err != nil {
		return fmt.Errorf("cannot seal the key: %w", err)
	}
	short := make([]string, len(o.To))
	for i, to := range o.To {
		short[i] = secret.ShortRecipient(to)
	}
	_, err = fmt.Fprintf(stdout, "encryption:\n  sealed: %s\n  sealed_to: [%s]\n", base64.StdEncoding.EncodeToString(sealed), strings.Join(short, ", "))
	return err
}

func keyFor(o SealOptions, stdin io.Reader) (*secret.Key, error) {
	if o.Random {
		return secret.Random(), nil
	}
	k, err := readKey(stdin, secret.New)
	if errors.Is(err, errNoKey) {
		return nil, fmt.Errorf("%w; to make one: --random", err)
	}
	return k, err
}

var errNoKey = errors.New("no key on standard input")

// readKey reads a key as it is, and keeps no copy of it.
func readKey(stdin io.Reader, of func([]byte) (*secret.Key, error)) (*secret.Key, error) {
	b := make([]byte, secret.MaxSize+1)
	defer clear(b)
	switch n, err := io.ReadFull(stdin, b); {
	case errors.Is(err, io.EOF):
		return nil, errNoKey
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("cannot read the key: %w", err)
	default:
		return of(b[:n])
	}
}
