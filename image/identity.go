package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"

	"bootswain/internal/atomicfile"
)

// IdentityPath is where an image keeps its own age identity.
const IdentityPath = "/etc/bootswain/identity"

// maxIdentity bounds an identity file. A hybrid identity is shorter than 200.
const maxIdentity = 64 << 10

// identity installs the identity that is given, keeps the one that is there, or
// makes one, and returns what to seal to. One that is there is never replaced.
func (h Host) identity(o Options) (recipients []string, made bool, err error) {
	path := h.at(IdentityPath)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("cannot read the image's identity: %w", err)
	}
	defer clear(old)
	there := err == nil
	if o.Public {
		if there {
			return nil, false, refused("an image for others must not hold "+IdentityPath+"; nothing changed.", "remove it if nothing is sealed to it, or leave --public out")
		}
		return nil, false, nil
	}
	given := old
	if o.Identity != nil {
		if given, err = io.ReadAll(io.LimitReader(o.Identity, maxIdentity)); err != nil {
			return nil, false, fmt.Errorf("cannot read the identity: %w", err)
		}
		defer clear(given)
	}
	if given == nil {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, false, fmt.Errorf("cannot make an identity: %w", err)
		}
		given = fmt.Appendf(nil, "# public key: %s\n%s\n", id.Recipient(), id)
		defer clear(given)
	}
	if recipients, err = recipientsOf(given); err != nil {
		return nil, false, err
	}
	if there {
		has, err := recipientsOf(old)
		if err != nil || !slices.Equal(has, recipients) {
			return nil, false, refused("it holds another identity already ("+IdentityPath+"), and what is sealed to that could not be opened any more; nothing changed.",
				"leave --identity out, or put the old identity away and remove the file")
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, false, fmt.Errorf("cannot write the image's identity: %w", err)
	}
	if there {
		given = old
	}
	if err := atomicfile.Write(path, given, 0o600); err != nil {
		return nil, false, fmt.Errorf("cannot write the image's identity: %w", err)
	}
	return recipients, !there, nil
}

// recipientsOf returns the public halves. age's errors never show an identity.
func recipientsOf(file []byte) (recipients []string, err error) {
	ids, err := age.ParseIdentities(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("cannot use the identity: %w", err)
	}
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			recipients = append(recipients, id.Recipient().String())
		case *age.HybridIdentity:
			recipients = append(recipients, id.Recipient().String())
		}
	}
	return recipients, nil
}
