package spec

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"go.yaml.in/yaml/v3"
)

// DefaultOverdueAfter is how long a missing device may take where the document
// says nothing.
const DefaultOverdueAfter = 5 * time.Minute

// maxDuration is the longest duration a document can give.
const maxDuration = 52 * 7 * 24 * time.Hour

// longUnits matches the days and weeks that Go durations lack.
var longUnits = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,4})d)?(.*)$`)

func (r *reader) duration(n *yaml.Node, path string) (time.Duration, bool) {
	text, ok := r.text(n, path)
	if !ok {
		return 0, false
	}
	d, err := parseDuration(text)
	if err != nil || d <= 0 || d > maxDuration {
		r.fault(n, path, "as in 90s, 5m, 2h30m, 3d or 1w", "%s is not a duration of at most 52 weeks", show(text))
		return 0, false
	}
	return d, true
}

// parseDuration reads a Go duration that may begin with weeks and days, of
// seven days and 24 hours: "1w2d3h".
func parseDuration(text string) (time.Duration, error) {
	m := longUnits.FindStringSubmatch(text)
	if m == nil || strings.HasPrefix(m[3], "-") || strings.HasPrefix(m[3], "+") {
		return 0, errors.New("not a duration")
	}
	weeks, _ := strconv.Atoi(m[1]) // empty is 0
	days, _ := strconv.Atoi(m[2])
	long := time.Duration(weeks*7+days) * 24 * time.Hour
	if m[3] == "" && m[1]+m[2] != "" {
		return long, nil
	}
	rest, err := time.ParseDuration(m[3])
	if err != nil || rest > maxDuration {
		return 0, errors.New("not a duration")
	}
	return long + rest, nil
}

// encryption reads where the key comes from. Its messages never repeat a
// value, which may be a key that somebody put in the wrong place.
func (r *reader) encryption(n *yaml.Node, path string) (e Encryption) {
	if mode := EncryptionMode(n.Value); n.Kind == yaml.ScalarNode && (mode == EncryptionNone || mode == EncryptionEphemeral) {
		e.Mode = mode
		return e
	}
	known := fields{
		"sealed": func(n *yaml.Node, path string) {
			text, ok := r.text(n, path)
			if !ok {
				return
			}
			var err error
			if e.Sealed, err = unarmor(text); err != nil {
				r.fault(n, path, "the output of bootswain seal", "%s", err)
			}
		},
	}
	known["recovery"] = func(n *yaml.Node, path string) { e.Recovery = r.recovery(n, path) }
	for _, key := range []string{"kms", "secretsmanager", "ssm"} {
		known[key] = r.unsupported("the key is given as sealed")
	}
	r.mapping(n, path, known)
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.required(n, path, "sealed", "the output of bootswain seal")
	}
	return e
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

// ParseSealed reads a sealed key as bootswain seal prints it, or without the
// lines of YAML around it.
func ParseSealed(text []byte) ([]byte, error) {
	var stanza struct {
		Encryption struct{ Sealed string }
	}
	if yaml.Unmarshal(text, &stanza) != nil || stanza.Encryption.Sealed == "" {
		stanza.Encryption.Sealed = string(text)
	}
	sealed, err := unarmor(stanza.Encryption.Sealed)
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
