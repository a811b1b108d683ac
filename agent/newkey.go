package agent

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"

	"go.yaml.in/yaml/v3"

	"bootswain/secret"
)

// NewKeyOptions say who makes a key, and for what.
type NewKeyOptions struct {
	KMS     string            // alias, id or ARN of the key of KMS that encrypts it
	Set     string            // logical name of the set of volumes, which becomes the context's set
	Context map[string]string // what else the encryption context is to hold
}

// NewKey has KMS make a key that nobody sees, and prints the stanza for launch
// data.
func NewKey(ctx context.Context, o NewKeyOptions, stdout io.Writer) error {
	bound := maps.Clone(o.Context)
	if bound == nil {
		bound = map[string]string{}
	}
	if o.Set != "" {
		bound["set"] = o.Set
	}
	ciphertext, err := secret.MakeInKMS(ctx, o.KMS, bound)
	if err != nil {
		return err
	}
	type kms struct {
		Ciphertext string            `yaml:"ciphertext"`
		Context    map[string]string `yaml:"context,flow"`
		Key        string            `yaml:"key"`
	}
	var stanza struct {
		Encryption struct {
			KMS kms `yaml:"kms"`
		} `yaml:"encryption"`
	}
	stanza.Encryption.KMS = kms{base64.StdEncoding.EncodeToString(ciphertext), bound, o.KMS}
	e := yaml.NewEncoder(stdout)
	e.SetIndent(2)
	if err := e.Encode(stanza); err != nil {
		return fmt.Errorf("cannot print the stanza: %w", err)
	}
	return e.Close()
}
