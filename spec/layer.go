package spec

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Layer is one of the documents that make up the launch data. Of two layers the
// upper one says:
//
//   - what a key of the document is, of mysql, health and env, and of a volume of
//     the same name; what a lower layer says there beside it holds too
//   - who a user is: an entry takes the place of the whole entry of that name
//
// Everything else, such as ebs, encryption and lists, is taken as a whole from
// the uppermost layer that has it, so that no half of it is somebody else's.
type Layer struct {
	Name string // for people: "role database"; "" is the launch data itself
	Text []byte // a bare document

	// Lacks says why there is no text, after the key of the launch data that names
	// the layer: "is not in this image". Key is that key, Hint what to do.
	Lacks, Key, Hint string
}

// Below returns which documents stand below this one, as far as it can be read:
// the name of a role and the address of an included document. "" is none.
func Below(doc []byte) (role, include string) {
	var r reader
	top := r.root(doc)
	for key, to := range map[string]*string{"role": &role, "include": &include} {
		if n := valueOf(top, key); n != nil && n.Kind == yaml.ScalarNode && !isNull(n) {
			*to = n.Value
		}
	}
	return role, include
}

// merged returns what the layers come to, or nil if the first is no mapping. It
// notes what is wrong with each of them by itself.
func (r *reader) merged(layers []Layer) (top *yaml.Node) {
	r.origin = map[*yaml.Node]string{}
	for i, l := range layers {
		r.layer = l.Name
		if l.Lacks != "" {
			if named := valueOf(top, l.Key); named != nil {
				r.layer = ""
				r.fault(named, l.Key, l.Hint, "%s", l.Lacks)
			}
			continue
		}
		n := r.root(l.Text)
		if i == 0 {
			top = n
			continue
		}
		if n == nil {
			continue
		}
		r.descend(n)
		r.required(n, "", "version", "version: 1")
		if v := valueOf(n, "version"); v != nil {
			r.version(v, "version")
		}
		for _, key := range []string{"role", "include"} {
			if v := valueOf(n, key); v != nil {
				r.fault(v, key, "name it in the launch data", "is not read here")
			}
		}
		if top != nil {
			top = r.over(top, n, "")
		}
	}
	r.layer = ""
	return top
}

// descend notes that n and what is below it are from the current layer.
func (r *reader) descend(n *yaml.Node) {
	r.origin[n] = r.layer
	for _, c := range n.Content {
		r.descend(c)
	}
}

// over returns the mapping upper with what only lower has.
func (r *reader) over(upper, lower *yaml.Node, path string) *yaml.Node {
	if upper.Kind != yaml.MappingNode || lower.Kind != yaml.MappingNode {
		return upper
	}
	both := *upper
	both.Content = slices.Clone(upper.Content)
	r.inherit(&both, upper)
	for i := 0; i+1 < len(lower.Content); i += 2 {
		key, value := lower.Content[i], lower.Content[i+1]
		at := slices.Index(keysOf(&both), key.Value)
		switch where := step(path, key.Value); {
		case at < 0:
			both.Content = append(both.Content, key, value)
		case where == "users":
			both.Content[2*at+1] = r.overUsers(both.Content[2*at+1], value)
		case path == "volumes" || path == "" && slices.Contains([]string{"volumes", "mysql", "health", "env"}, key.Value):
			both.Content[2*at+1] = r.over(both.Content[2*at+1], value, where)
		}
	}
	return &both
}

// overUsers returns the list upper with the entries of lower whose names it has
// not.
func (r *reader) overUsers(upper, lower *yaml.Node) *yaml.Node {
	if upper.Kind != yaml.SequenceNode || lower.Kind != yaml.SequenceNode {
		return upper
	}
	both := *upper
	both.Content = slices.Clone(upper.Content)
	r.inherit(&both, upper)
	for _, entry := range lower.Content {
		name := valueOf(entry, "name")
		if name == nil || !slices.ContainsFunc(upper.Content, func(n *yaml.Node) bool {
			v := valueOf(n, "name")
			return v != nil && v.Value == name.Value
		}) {
			both.Content = append(both.Content, entry)
		}
	}
	return &both
}

// inherit gives a copy of a node its origin.
func (r *reader) inherit(clone, of *yaml.Node) {
	if layer, ok := r.origin[of]; ok {
		r.origin[clone] = layer
	}
}
