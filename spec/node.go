package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// reader walks the YAML tree and gathers faults. Each read method returns the
// value and whether it is sound; an unsound value has been noted as a fault.
type reader struct {
	faults []Fault
	layer  string                           // the name of the layer that is being taken apart
	origin map[*yaml.Node]string            // the name of the layer that a node is from, where that is not the launch data
	knows  func(path string, keys []string) // told of every mapping that is read; may be nil
}

func (r *reader) fault(n *yaml.Node, path, hint, format string, args ...any) {
	layer, ok := r.origin[n]
	if !ok {
		layer = r.layer
	}
	r.faults = append(r.faults, Fault{
		Layer: layer, Line: max(n.Line, 1), Column: max(n.Column, 1), Path: path,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// fields are the keys that a mapping may have and what reads each value.
type fields map[string]func(n *yaml.Node, path string)

// mapping reads the mapping n. Keys that are not text, unknown or given twice
// are faults; the values of a key given twice are not read at all, because
// nobody can know which was meant.
func (r *reader) mapping(n *yaml.Node, path string, known fields) {
	if r.knows != nil {
		r.knows(path, slices.Collect(maps.Keys(known)))
	}
	for key, pair := range r.pairs(n, path) {
		read, ok := known[key]
		if !ok {
			hint := nearest(key, slices.Sorted(maps.Keys(known)))
			if hint != "" {
				hint += "?"
			}
			r.fault(pair.key, step(path, key), hint, "unknown")
			continue
		}
		read(pair.value, step(path, key))
	}
}

type pair struct{ key, value *yaml.Node }

// pairs yields the pairs of the mapping n in document order, without those
// whose key is not text or given twice, which it notes as faults.
func (r *reader) pairs(n *yaml.Node, path string) func(yield func(string, pair) bool) {
	if !r.kind(n, path, yaml.MappingNode) {
		return func(func(string, pair) bool) {}
	}
	var good []pair
	count := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
			r.fault(key, path, "write the keys out", "has a merge key <<, which is not allowed here")
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			r.fault(key, path, "quote it if it is a name", "has a key that is %s instead of text", kindOf(key))
		default:
			if count[key.Value]++; count[key.Value] > 1 {
				r.fault(key, step(path, key.Value), "", "given twice")
			}
			good = append(good, pair{key, value})
		}
	}
	return func(yield func(string, pair) bool) {
		for _, p := range good {
			if count[p.key.Value] == 1 && !yield(p.key.Value, p) {
				return
			}
		}
	}
}

// kind tells whether n is of the kind wanted.
func (r *reader) kind(n *yaml.Node, path string, want yaml.Kind) bool {
	if n.Kind == want {
		return true
	}
	r.wrongType(n, path, map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}[want])
	return false
}

func (r *reader) wrongType(n *yaml.Node, path, want string) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.fault(n, path, "write the value out", "is a YAML alias, which is not allowed here")
	case isNull(n):
		r.fault(n, path, "leave it out or fill it in", "is empty, must be %s", want)
	default:
		r.fault(n, path, "", "must be %s, not %s", want, kindOf(n))
	}
}

// text reads a string. Numbers, dates and booleans must be quoted.
func (r *reader) text(n *yaml.Node, path string) (string, bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		switch {
		case strings.TrimSpace(n.Value) == "":
			r.fault(n, path, "leave it out or fill it in", "is empty")
		case strings.ContainsFunc(n.Value, func(c rune) bool { return unicode.IsControl(c) && !strings.ContainsRune("\t\r\n", c) }):
			r.fault(n, path, "", "holds a control character")
		default:
			return n.Value, true
		}
		return "", false
	}
	if n.Kind == yaml.ScalarNode && !isNull(n) && n.Tag != "" && strings.HasPrefix(n.ShortTag(), "!!") {
		r.fault(n, path, "quote it", "must be text, not %s", kindOf(n))
		return "", false
	}
	r.wrongType(n, path, "text")
	return "", false
}

func (r *reader) boolean(n *yaml.Node, path string) (value, ok bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && n.Decode(&value) == nil {
		return value, true
	}
	r.wrongType(n, path, "true or false")
	return false, false
}

// texts reads a list of strings. With sep, one string that is cut at sep will
// do, as cloud-init and fstab have it.
func (r *reader) texts(n *yaml.Node, path, sep string) (values []string, ok bool) {
	if sep != "" && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		for v := range strings.SplitSeq(n.Value, sep) {
			values = append(values, strings.TrimSpace(v))
		}
		if slices.Contains(values, "") {
			r.fault(n, path, "", "has an empty entry")
			return nil, false
		}
		return values, true
	}
	if !r.kind(n, path, yaml.SequenceNode) {
		return nil, false
	}
	ok = true
	for i, item := range n.Content {
		v, sound := r.text(item, at(path, i))
		ok = ok && sound
		values = append(values, v)
	}
	return values, ok
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "a YAML alias"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	}
	return "of the tag " + show(n.ShortTag())
}
