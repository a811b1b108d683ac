// Package secret knows where a volume's key comes from: sealed to the image in
// the launch data or in the volume's own header, or random. Keys live in
// memory only, are zeroed after use and cannot print themselves.
//
// Sealing is age encryption (age-encryption.org/v1) to X25519 or hybrid
// post-quantum recipients. A key that cannot be had is a situation with the
// word LOCKED: the data behind it is untouched, and the sentence says what the
// image holds and what the ciphertext asks for, as far as that can be known.
package secret

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
)

// Sizes of a key in bytes. The lower bound is what makes a fast key derivation
// in the LUKS2 header harmless: nobody tries 2^256 keys.
const (
	RandomSize = 64
	MinSize    = 32
	MaxSize    = 4096
)

// shown is all that a Key ever says of itself.
const shown = "[key]"

// errDestroyed is the answer to using a key after Destroy.
var errDestroyed = errors.New("cannot use a key that was destroyed")

// Key is the secret that unlocks a volume. Every way of printing or encoding
// it shows "[key]". The bytes stand behind two pointers: fmt ignores methods in
// unexported fields and follows one pointer when a verb does not fit, but then
// shows an address.
type Key struct{ box *box }

type box struct{ b *[]byte }

func keep(own []byte) *Key { return &Key{&box{&own}} }

// New makes a Key of the bytes and zeroes them where they were.
func New(b []byte) (*Key, error) {
	defer clear(b)
	if len(b) < MinSize || len(b) > MaxSize {
		return nil, fmt.Errorf("cannot use a key of %d bytes: want %d to %d", len(b), MinSize, MaxSize)
	}
	return keep(append([]byte(nil), b...)), nil
}

// Brought makes a Key of what a person brings to open what is there, which may
// be a short passphrase, and zeroes the bytes where they were. It never becomes
// a volume's key.
func Brought(b []byte) (*Key, error) {
	defer clear(b)
	if len(b) == 0 || len(b) > MaxSize {
		return nil, fmt.Errorf("cannot use a key of %d bytes: want 1 to %d", len(b), MaxSize)
	}
	return keep(append([]byte(nil), b...)), nil
}

// Random makes a key of 64 random bytes.
func Random() *Key {
	own := make([]byte, RandomSize)
	rand.Read(own) // never fails: crypto/rand ends the program instead
	return keep(own)
}

// Use calls f with the key's bytes. f must not keep them.
func (k *Key) Use(f func([]byte) error) error {
	if k == nil || k.box == nil || len(*k.box.b) == 0 {
		return errDestroyed
	}
	return f(*k.box.b)
}

// Strong tells whether the key is long enough to be a volume's own.
func (k *Key) Strong() bool {
	return k.Use(func(b []byte) error {
		if len(b) < MinSize {
			return errors.New("too short")
		}
		return nil
	}) == nil
}

// Equal tells whether both are the same key.
func (k *Key) Equal(o *Key) bool {
	same := false
	_ = k.Use(func(a []byte) error {
		return o.Use(func(b []byte) error { same = bytes.Equal(a, b); return nil })
	})
	return same
}

// Destroy zeroes the key. It may be called more than once and on a nil Key.
func (k *Key) Destroy() {
	if k == nil || k.box == nil {
		return
	}
	clear(*k.box.b)
	*k.box.b = nil
}

// Format implements fmt.Formatter for every verb.
func (Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, shown) }

// String implements fmt.Stringer.
func (Key) String() string { return shown }

// GoString implements fmt.GoStringer.
func (Key) GoString() string { return shown }

// LogValue implements slog.LogValuer.
func (Key) LogValue() slog.Value { return slog.StringValue(shown) }

// MarshalText implements encoding.TextMarshaler, which JSON and most other
// encoders use.
func (Key) MarshalText() ([]byte, error) { return []byte(shown), nil }

// MarshalJSON implements json.Marshaler.
func (Key) MarshalJSON() ([]byte, error) { return []byte(`"` + shown + `"`), nil }
