package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
)

// Seal encrypts the key so that each of the recipients ("age1…", X25519 or
// hybrid) can unseal it. age allows no mixture of the two kinds, since one weak
// recipient would undo the strong ones.
func Seal(recipients []string, k *Key) ([]byte, error) {
	if len(recipients) == 0 {
		return nil, errors.New("cannot seal the key: no recipient given")
	}
	rs, err := age.ParseRecipients(strings.NewReader(strings.Join(recipients, "\n") + "\n"))
	if err != nil {
		return nil, fmt.Errorf("cannot seal the key: %w", err)
	}
	var out bytes.Buffer
	err = k.Use(func(b []byte) error {
		w, err := age.Encrypt(&out, rs...)
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		return w.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("cannot seal the key: %w", err)
	}
	return out.Bytes(), nil
}

// unseal decrypts what Seal made. to are its recipients, as far as somebody wrote
// them down. Every failure is a LOCKED situation.
func unseal(id *Identity, ciphertext []byte, to []string) (*Key, error) {
	r, err := age.Decrypt(bytes.NewReader(ciphertext), id.identities...)
	if other, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, sealedToAnother(id, other, to)
	}
	if err != nil {
		return nil, damaged(err)
	}
	b := make([]byte, 0, MaxSize+1) // never grown, so that clearing it clears all
	defer func() { clear(b[:cap(b)]) }()
	for len(b) < cap(b) {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, damaged(err)
		}
	}
	k, err := New(b)
	if err != nil {
		return nil, damaged(err)
	}
	return k, nil
}

// sealedToAnother tells what the ciphertext asks for and what there is. An age
// ciphertext does not name its recipients, only their kind; named are those that
// somebody wrote down beside it.
func sealedToAnother(id *Identity, err *age.NoIdentityMatchError, named []string) error {
	kinds := map[string]string{
		"X25519": "an X25519 recipient", "mlkem768x25519": "a hybrid recipient", "scrypt": "a passphrase",
		"ssh-ed25519": "an SSH key", "ssh-rsa": "an SSH key",
	}
	var to []string
	for _, t := range err.StanzaTypes {
		kind, known := kinds[t]
		if !known {
			continue // age adds stanzas of random types so that readers learn to ignore them
		}
		if !slices.Contains(to, kind) {
			to = append(to, kind)
		}
	}
	what := "another recipient"
	if len(named) > 0 {
		short := make([]string, len(named))
		for i, r := range named {
			short[i] = ShortRecipient(r)
		}
		what = strings.Join(short, ", ")
	} else if len(to) > 0 {
		what += " (" + strings.Join(to, ", ") + ")"
	}
	return locked(err, fmt.Sprintf("the key is sealed to %s; this image holds %s", what, id.holds()),
		"seal the key to this image's recipient: bootswain seal, or launch the image that it was sealed to")
}

func damaged(err error) error {
	return locked(err, fmt.Sprintf("the sealed key is damaged: %v", err), "give the key's ciphertext anew in the launch data")
}
