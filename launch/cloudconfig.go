package launch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// ourKey is the key of our document in cloud-config.
const ourKey = "bootswain"

var ourLine = regexp.MustCompile(`(?m)^\s*\{?\s*["']?bootswain["']?\s*:`)

// fromCloudConfig returns the value of our key in the cloud-config text, at
// the lines and columns that it has there, or nil if the key is not there; and the
// rest of the text.
func fromCloudConfig(text []byte) (doc, rest []byte, err error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		if ourLine.Match(text) {
			return nil, nil, fmt.Errorf("the cloud-config around bootswain: is not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
		return nil, text, nil
	}
	if len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return nil, text, nil
	}
	top := root.Content[0]
	var value, next *yaml.Node
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value != ourKey {
			continue
		}
		if value != nil {
			return nil, nil, fmt.Errorf("the cloud-config has the key bootswain twice, the second time in line %d", top.Content[i].Line)
		}
		value = top.Content[i+1]
		if i+2 < len(top.Content) {
			next = top.Content[i+2]
		}
	}
	if value == nil {
		return nil, text, nil
	}
	if value.ShortTag() == "!!null" {
		return nil, nil, fmt.Errorf("the key bootswain in line %d of the cloud-config is empty", value.Line)
	}
	return cutOut(text, value, next, top.Style&yaml.FlowStyle != 0)
}

// cutOut returns the part of text that is value and ends before next, with all
// that is before it blanked, and the text without that part. In a flow mapping,
// which JSON is, brackets and commas follow the value, so that only the value's
// own grammar tells its end.
func cutOut(text []byte, value, next *yaml.Node, inFlow bool) (doc, rest []byte, err error) {
	odd := errors.New("cannot tell where bootswain: ends in the cloud-config; write it as a block, one key a line")
	from, to := offset(text, value), len(text)
	if next != nil {
		to = offset(text, next)
	}
	if from > to {
		return nil, nil, odd
	}
	if inFlow {
		dec := json.NewDecoder(bytes.NewReader(text[from:to]))
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return nil, nil, odd
		}
		to = from + int(dec.InputOffset())
	}
	doc = append(blanked(text[:from]), text[from:to]...)
	var again yaml.Node
	if err := yaml.Unmarshal(doc, &again); err != nil || len(again.Content) == 0 || !same(again.Content[0], value) {
		return nil, nil, odd
	}
	return doc, slices.Concat(text[:from], blanked(text[from:to]), text[to:]), nil
}

// same tells whether two trees say the same at the same places.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || a.Tag != b.Tag || a.Line != b.Line || a.Column != b.Column || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// lineBreak returns the length of the YAML line break that text begins with,
// or 0. https://yaml.org/spec/1.1/#line%20break
func lineBreak(text []byte) int {
	for _, b := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if bytes.HasPrefix(text, []byte(b)) {
			return len(b)
		}
	}
	return 0
}

// offset is where in text n begins, in bytes; the end if it is not in text.
func offset(text []byte, n *yaml.Node) int {
	line, column := 1, 1
	for i := 0; i < len(text); {
		if line == n.Line && column == n.Column {
			return i
		}
		if size := lineBreak(text[i:]); size > 0 {
			i, line, column = i+size, line+1, 1
			continue
		}
		_, size := utf8.DecodeRune(text[i:])
		i, column = i+size, column+1
	}
	return len(text)
}

// blanked keeps the line breaks of text and makes a space of every other
// character.
func blanked(text []byte) []byte {
	var out []byte
	for len(text) > 0 {
		size := lineBreak(text)
		if size > 0 {
			out = append(out, text[:size]...)
		} else {
			_, size = utf8.DecodeRune(text)
			out = append(out, ' ')
		}
		text = text[size:]
	}
	return out
}
