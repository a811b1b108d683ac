package secret

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"bootswain/internal/run"
)

// ErrBrought is a key that a person or an orchestrator brings.
var ErrBrought = errors.New("the key is brought from outside")

// source is one place where a key is to be had, as launch data and a volume's
// header say it. One field is set, SealedTo aside.
type source struct {
	Sealed         []byte         `json:"sealed"`    // age ciphertext
	SealedTo       []string       `json:"sealed_to"` // recipients, for people
	KMS            *kmsKey        `json:"kms"`
	SecretsManager *managedSecret `json:"secretsmanager"`
	SSM            *parameter     `json:"ssm"`
	Command        []string       `json:"command"`
	Unlock         bool           `json:"unlock"`
}

type kmsKey struct {
	Ciphertext []byte            `json:"ciphertext"`
	Context    map[string]string `json:"context"`
	Key        string            `json:"key"`
}

type managedSecret struct {
	Secret  string `json:"secret"`
	Version string `json:"version"`
}

type parameter struct {
	Parameter string `json:"parameter"`
}

// Sources splits what launch data or a header says of a key into its sources, in
// the order in which they are to be tried. What it does not understand is one
// source, about which Unseal says so.
func Sources(said []byte) [][]byte {
	var all map[string]json.RawMessage
	var fallback []json.RawMessage
	if isCiphertext(said) || json.Unmarshal(said, &all) != nil || all["fallback"] == nil || json.Unmarshal(all["fallback"], &fallback) != nil {
		return [][]byte{said}
	}
	delete(all, "fallback")
	first, err := json.Marshal(all)
	if err != nil {
		return [][]byte{said}
	}
	list := [][]byte{first}
	for _, f := range fallback {
		list = append(list, f)
	}
	return list
}

// isCiphertext tells an age ciphertext, which needs no words around it, from the
// JSON text of a source.
func isCiphertext(said []byte) bool { return len(said) == 0 || said[0] != '{' }

// Ring gets keys from wherever this machine may have them.
type Ring struct {
	Run run.Runner // of programs in the image

	identity string        // path of the image's identity; "" is IdentityPath
	limit    time.Duration // of one request to AWS; 0 is cloud.Limit
	top      string        // above which nobody's programs are looked at; "" is /
}

// Unseal gets the key from one source, and does so anew every time. What cannot
// be had is a LOCKED situation.
func (r Ring) Unseal(ctx context.Context, said []byte) (*Key, error) {
	identity := IdentityFile(cmp.Or(r.identity, IdentityPath))
	if isCiphertext(said) {
		return identity.unseal(said, nil)
	}
	var s source
	if err := json.Unmarshal(said, &s); err != nil {
		return nil, unknown(err)
	}
	switch {
	case len(s.Sealed) > 0:
		return identity.unseal(s.Sealed, s.SealedTo)
	case s.KMS != nil:
		return r.kms(ctx, s.KMS)
	case s.SecretsManager != nil:
		return r.managedSecret(ctx, s.SecretsManager)
	case s.SSM != nil:
		return r.parameter(ctx, s.SSM)
	case len(s.Command) > 0:
		return r.command(ctx, s.Command)
	case s.Unlock:
		return nil, locked(ErrBrought, "its key is brought from outside", "bring it: bootswain unlock NAME < KEY")
	}
	return nil, unknown(nil)
}

func unknown(err error) error {
	return locked(err, "where its key is, is not said in words that this bootswain knows", "launch an image with a newer bootswain")
}

// unusable is a key that was had and is none.
func unusable(from string, err error) error {
	return locked(err, from+" holds no volume key: "+err.Error(), "put a key of 32 to 4096 bytes there; tried again by itself")
}
