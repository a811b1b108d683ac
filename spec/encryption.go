package spec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"go.yaml.in/yaml/v3"
)

// maxSources bounds what the sources of a key take in the LUKS2 header, in
// bytes: the token has room for 8 KiB, of which a recovery key may need two.
const maxSources = 5 << 10

// encryption reads where the key comes from. Its messages never repeat a
// value, which may be a key that somebody put in the wrong place.
func (r *reader) encryption(n *yaml.Node, path string) (e Encryption) {
	if mode := EncryptionMode(n.Value); n.Kind == yaml.ScalarNode && (mode == EncryptionNone || mode == EncryptionEphemeral) {
		e.Mode = mode
		return e
	}
	before := len(r.faults)
	var first KeySource
	var spare []KeySource
	known := r.keySource(&first)
	known["fallback"] = func(n *yaml.Node, path string) { spare = r.fallback(n, path) }
	known["recovery"] = func(n *yaml.Node, path string) { e.Recovery = r.recovery(n, path) }
	r.mapping(n, path, known)
	given := r.oneSource(n, path)
	switch {
	case len(r.faults) > before || n.Kind != yaml.MappingNode:
		return e
	case !given && (len(n.Content) == 0 || hasKey(n, "fallback")):
		r.required(n, path, "sealed", "the output of bootswain seal; or kms, secretsmanager, ssm, command, unlock")
		return e
	case !given: // the volume's header says where its key is
		return e
	}
	e.Sources = append([]KeySource{first}, spare...)
	e.Sealed = sealedForm(e.Sources)
	size := len(e.Sealed)
	if !bytes.HasPrefix(e.Sealed, []byte("{")) {
		size = base64.StdEncoding.EncodedLen(size)
	}
	if size > maxSources {
		r.fault(n, path, "fewer recipients, or a shorter fallback", "takes %d bytes in the volume's header, which has room for %d", size, maxSources)
	}
	return e
}

// fallback reads the sources that are tried where those before them fail.
func (r *reader) fallback(n *yaml.Node, path string) (all []KeySource) {
	if !r.kind(n, path, yaml.SequenceNode) {
		return nil
	}
	for i, entry := range n.Content {
		var s KeySource
		r.mapping(entry, at(path, i), r.keySource(&s))
		if !r.oneSource(entry, at(path, i)) && entry.Kind == yaml.MappingNode {
			r.fault(entry, at(path, i), "one of "+strings.Join(sources, ", "), "names no source of a key")
		}
		all = append(all, s)
	}
	return all
}

// oneSource tells whether the mapping n names a source, and notes those that
// contradict the first.
func (r *reader) oneSource(n *yaml.Node, path string) bool {
	first := ""
	for _, key := range keysOf(n) {
		switch {
		case !slices.Contains(sources, key):
		case first == "":
			first = key
		case first != key:
			r.fault(valueOf(n, key), step(path, key), "keep one of them, and give the other under fallback", "contradicts %s", first)
		}
	}
	if to := valueOf(n, "sealed_to"); to != nil && first != "sealed" {
		r.fault(to, step(path, "sealed_to"), "leave it out", "is for sealed")
	}
	return first != ""
}

// sealedForm is how a volume's header keeps the sources of its key: an age
// ciphertext is kept as it is, and all else as in the document, in JSON with
// sorted keys, so that what went through another program compares as equal.
func sealedForm(all []KeySource) []byte {
	if len(all) == 1 && len(all[0].Sealed) > 0 && len(all[0].SealedTo) == 0 {
		return all[0].Sealed
	}
	text, err := json.Marshal(struct {
		KeySource
		Fallback []KeySource `json:"fallback,omitempty"`
	}{all[0], all[1:]})
	if err != nil {
		panic(err) // texts and bytes always marshal
	}
	var sorted map[string]any
	if err := json.Unmarshal(text, &sorted); err != nil {
		panic(err) // it was just written
	}
	text, err = json.Marshal(sorted)
	if err != nil {
		panic(err) // it was just read
	}
	return text
}

// recovery reads to whom the recovery key is sealed.
func (r *reader) recovery(n *yaml.Node, path string) string {
	text, ok := r.text(n, path)
	if !ok || text == NoRecovery {
		return text
	}
	to, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(to) != 1 || strings.TrimSpace(text) != text {
		r.fault(n, path, "age1…, as age-keygen -y prints it, or none", "is not an age recipient")
		return ""
	}
	return text
}

// ParseSealed reads the source of a key as bootswain seal and key new print it,
// or a sealed key without the lines of YAML around it.
func ParseSealed(text []byte) ([]byte, error) {
	var root yaml.Node
	if yaml.Unmarshal(text, &root) == nil && len(root.Content) == 1 && root.Content[0].Kind == yaml.MappingNode && hasKey(root.Content[0], "encryption") {
		var r reader
		e := r.encryption(valueOf(root.Content[0], "encryption"), "encryption")
		if len(r.faults) > 0 {
			return nil, &Errors{Faults: r.faults}
		}
		if len(e.Sealed) == 0 {
			return nil, errors.New("the stanza names no source of a key")
		}
		return e.Sealed, nil
	}
	sealed, err := unarmor(string(text))
	if err != nil {
		return nil, fmt.Errorf("the sealed key %w", err)
	}
	return sealed, nil
}

// maxSealed bounds a sealed key in bytes. One recipient takes about 200.
const maxSealed = 16 << 10

// sealedTail is what follows an age header at least: the payload's nonce of 16
// bytes and the tag of its only chunk, https://age-encryption.org/v1.
const sealedTail = 16 + 16

// unarmor decodes an age ciphertext from its armor or from base64, and checks
// that it is one and whole; only its identity can tell more.
func unarmor(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	var sealed []byte
	var err error
	switch {
	case len(text) > maxSealed:
		return nil, errors.New("is too long for a sealed key")
	case strings.HasPrefix(text, armor.Header):
		sealed, err = io.ReadAll(armor.NewReader(strings.NewReader(text)))
	default:
		sealed, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return nil, errors.New("is neither age armor nor base64, or was cut short")
	}
	header, err := age.ExtractHeader(bytes.NewReader(sealed))
	if err != nil {
		return nil, errors.New("is not an age ciphertext, or was cut short")
	}
	if len(sealed) <= len(header)+sealedTail {
		return nil, errors.New("is an age ciphertext without a key in it, or was cut short")
	}
	return sealed, nil
}
