package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"

	"bootswain/internal/situation"
)

// IdentityPath is where an image keeps its identity: the one secret in it.
const IdentityPath = "/etc/bootswain/identity"

// Identity is what an image can unseal with: one or more age identities.
type Identity struct {
	path       string
	identities []age.Identity
	recipients []string
}

// ReadIdentity reads an age identity file: one X25519 or hybrid secret key a
// line, comments and empty lines aside. An image without one is LOCKED.
func ReadIdentity(path string) (*Identity, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, locked(err, fmt.Sprintf("this image holds no identity (%s)", path),
			"launch an image that holds one; to bake it: age-keygen -o "+path)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	// age's errors name a line number and never its content.
	ids, err := age.ParseIdentities(f)
	if err != nil {
		return nil, unreadable(path, err)
	}
	id := &Identity{path: path, identities: ids}
	for _, i := range ids {
		switch i := i.(type) {
		case *age.X25519Identity:
			id.recipients = append(id.recipients, i.Recipient().String())
		case *age.HybridIdentity:
			id.recipients = append(id.recipients, i.Recipient().String())
		}
	}
	return id, nil
}

// Recipients returns the public halves: what to seal to, so that this image
// can unseal.
func (id *Identity) Recipients() []string { return append([]string(nil), id.recipients...) }

// holds names the recipients for a sentence.
func (id *Identity) holds() string {
	short := make([]string, len(id.recipients))
	for i, r := range id.recipients {
		short[i] = ShortRecipient(r)
	}
	return strings.Join(short, ", ")
}

// ShortRecipient is how people know a recipient again. A hybrid one is two
// thousand characters long, so long ones are cut.
func ShortRecipient(r string) string {
	if len(r) <= 70 {
		return r
	}
	return r[:24] + "…" + r[len(r)-8:]
}

// IdentityFile unseals with the identity file of that path, which it reads
// anew every time, so that a file that is put right is seen at the next try.
type IdentityFile string

// Unseal returns the key in the ciphertext.
func (f IdentityFile) Unseal(_ context.Context, ciphertext []byte) (*Key, error) {
	return f.unseal(ciphertext, nil)
}

func (f IdentityFile) unseal(ciphertext []byte, to []string) (*Key, error) {
	id, err := ReadIdentity(string(f))
	if err != nil {
		return nil, err
	}
	return unseal(id, ciphertext, to)
}

// locked is a key that cannot be had. Its subject is set by whoever knows which
// volume the key belongs to.
func locked(cause error, text, next string) *situation.Situation {
	return &situation.Situation{Word: situation.Locked, Subject: "key", Text: text + ". Data untouched.", Next: next, Cause: cause}
}

func unreadable(path string, err error) error {
	return locked(err, fmt.Sprintf("this image's identity %s cannot be read: %v", path, err), "put the file right; tried again by itself")
}
