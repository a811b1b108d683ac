package spec

import (
	"encoding/base64"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sources are the keys that name a source, in the order in which people are told
// of them.
var sources = []string{"sealed", "kms", "secretsmanager", "ssm", "command", "unlock"}

// maxCiphertext is KMS's limit of a ciphertext in bytes (API reference, Decrypt).
const maxCiphertext = 6144

var (
	secretName    = lazily(`^[A-Za-z0-9/_+=.@:!-]+$`)
	secretVersion = lazily(`^[A-Za-z0-9-]{32,64}$`)
	parameterName = lazily(`^[A-Za-z0-9/_.:-]+$`)
	kmsKey        = lazily(`^[A-Za-z0-9/_:-]+$`)
)

// keySource are the fields of a mapping that names a source.
func (r *reader) keySource(s *KeySource) fields {
	return fields{
		"sealed": func(n *yaml.Node, path string) {
			text, ok := r.text(n, path)
			if !ok {
				return
			}
			var err error
			if s.Sealed, err = unarmor(text); err != nil {
				r.fault(n, path, "the output of bootswain seal", "%s", err)
			}
		},
		"sealed_to":      func(n *yaml.Node, path string) { s.SealedTo, _ = r.texts(n, path, "") },
		"kms":            func(n *yaml.Node, path string) { s.KMS = r.kms(n, path) },
		"secretsmanager": func(n *yaml.Node, path string) { s.SecretsManager = r.secretsManager(n, path) },
		"ssm":            func(n *yaml.Node, path string) { s.SSM = r.ssm(n, path) },
		"command":        func(n *yaml.Node, path string) { s.Command = r.command(n, path) },
		"unlock": func(n *yaml.Node, path string) {
			if yes, ok := r.boolean(n, path); ok && !yes {
				r.fault(n, path, "true, or leave it out", "must be true")
			} else {
				s.Unlock = yes
			}
		},
	}
}

func (r *reader) kms(n *yaml.Node, where string) *KMS {
	k := &KMS{Context: map[string]string{}}
	r.mapping(n, where, fields{
		"ciphertext": func(n *yaml.Node, where string) {
			text, ok := r.text(n, where)
			if !ok {
				return
			}
			var err error
			if k.Ciphertext, err = base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err != nil || len(k.Ciphertext) > maxCiphertext {
				r.fault(n, where, "the output of bootswain key new --kms", "is not a ciphertext of KMS in base64, or was cut short")
			}
		},
		"context": func(n *yaml.Node, where string) {
			for key, pair := range r.pairs(n, where) {
				k.Context[key], _ = r.text(pair.value, step(where, key))
			}
			if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
				r.fault(n, where, "as in {set: orders-db}", "is empty")
			}
		},
		"key": func(n *yaml.Node, where string) { k.Key = r.name(n, where, kmsKey, "the key of KMS", "alias/orders") },
	})
	r.required(n, where, "ciphertext", "the output of bootswain key new --kms")
	r.required(n, where, "context", "the output of bootswain key new --kms, as in {set: orders-db}")
	return k
}

func (r *reader) secretsManager(n *yaml.Node, where string) *SecretsManager {
	s := &SecretsManager{}
	r.mapping(n, where, fields{
		"secret": func(n *yaml.Node, where string) {
			s.Secret = r.name(n, where, secretName, "the name or ARN of a secret", "orders-db/volume-key")
		},
		"version": func(n *yaml.Node, where string) {
			s.Version = r.name(n, where, secretVersion, "the id of a version", "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE")
		},
	})
	r.required(n, where, "secret", "its name or ARN")
	return s
}

func (r *reader) ssm(n *yaml.Node, where string) *SSM {
	s := &SSM{}
	r.mapping(n, where, fields{
		"parameter": func(n *yaml.Node, where string) {
			s.Parameter = r.name(n, where, parameterName, "the name or ARN of a parameter", "/orders-db/volume-key")
		},
	})
	r.required(n, where, "parameter", "its name or ARN, with :VERSION if it is to be that one")
	return s
}

// name reads a name that is no secret itself, but is not shown: it may be one in
// the wrong place.
func (r *reader) name(n *yaml.Node, where string, rule *pattern, what, example string) string {
	text, ok := r.text(n, where)
	if ok && !rule.MatchString(text) {
		r.fault(n, where, "as in "+example, "is not %s", what)
	}
	return text
}

// command reads a program of the image and its arguments.
func (r *reader) command(n *yaml.Node, where string) []string {
	words, ok := r.texts(n, where, "")
	if ok && (len(words) == 0 || !path.IsAbs(words[0]) || path.Clean(words[0]) != words[0]) {
		r.fault(n, where, "as in [/usr/local/bin/volume-key, orders-db]", "does not begin with the absolute path of a program")
	}
	return words
}
