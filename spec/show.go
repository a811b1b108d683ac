package spec

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Show returns what the layers come to, as YAML with the place that each value
// came from, and with the defaults that are values. Secrets, also those that are
// sealed, are not in it. The error is an *Errors, as ParseLayers has it.
func Show(layers ...Layer) ([]byte, error) {
	if _, err := ParseLayers(layers...); err != nil {
		return nil, err
	}
	var r reader
	n := r.shown(r.merged(layers), "")
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("cannot show the document: %w", err)
	}
	return b.Bytes(), nil
}

// shown returns a copy of n, which stands at path, for people.
func (r *reader) shown(n *yaml.Node, path string) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			value := r.shown(n.Content[i+1], step(path, key))
			if redacted := redact(path, key, n.Content[i+1]); redacted != "" {
				value.SetString(redacted)
			}
			c.Content = append(c.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
		}
		c.Content = append(c.Content, defaults(n, path)...)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			c.Content = append(c.Content, r.shown(item, at(path, i)))
		}
	}
	if n.Kind == yaml.ScalarNode {
		from := r.origin[n]
		if from == "" {
			from = "launch data"
		}
		c.LineComment = fmt.Sprintf("%s %d:%d", from, n.Line, n.Column)
	}
	return c
}

// defaults returns the pairs that hold because n, which stands at path, says
// nothing of them.
func defaults(n *yaml.Node, path string) (pairs []*yaml.Node) {
	place := volumeAt.regexp().ReplaceAllString(userAt.regexp().ReplaceAllString(path, "users[]"), "volumes.NAME")
	for at, k := range Keys {
		above, _ := strings.CutSuffix(at, "."+k.Name)
		if above != place || k.literal() == "" || hasKey(n, k.Name) {
			continue
		}
		if k.Name == "prefill" && !hasKey(n, "instance_store") {
			continue
		}
		pairs = append(pairs, &yaml.Node{Kind: yaml.ScalarNode, Value: k.Name},
			&yaml.Node{Kind: yaml.ScalarNode, Value: k.literal(), LineComment: "default"})
	}
	return pairs
}

var (
	userAt   = lazily(`^users\[\d+\]`)
	volumeAt = lazily(`^volumes\.[^.]+`)
)

// wrapped are the keys whose values are keys of volumes, sealed by somebody.
var wrapped = []string{"sealed", "ciphertext"}

// redact returns what is shown in place of a secret, or "".
func redact(path, key string, n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode:
		return ""
	case slices.Contains(wrapped, key) && strings.HasPrefix(path, "volumes."):
		return fmt.Sprintf("[sealed, %d characters]", len(n.Value))
	case path == "env" && secretWord.MatchString(key) && !isPlace(n.Value), secretValue.MatchString(n.Value):
		return "[redacted]"
	}
	return ""
}
