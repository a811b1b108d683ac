package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDocument bounds the document in bytes. EC2 gives at most 16 KiB of
// user-data, which gzip can hold several times over.
const maxDocument = 256 << 10

// Parse reads a bare document. The error is an *Errors with every fault.
//
// With faults Parse still returns what may be acted on, if the document is a
// mapping at all: Users holds the entries that are sound as a whole, UsersFrom,
// Health and IMDS are as given where they are sound, Health without an address if
// who may ask is in doubt, and Volumes, MySQL and Env
// are nil, so that no disk is touched by a document that is not understood.
func Parse(doc []byte) (*Spec, error) { return ParseLayers(Layer{Text: doc}) }

// ParseLayers reads documents of which each stands over those after it, by the
// rules of Layer. The first is the launch data itself.
func ParseLayers(layers ...Layer) (*Spec, error) {
	var r reader
	s := r.document(layers)
	if len(r.faults) == 0 {
		return s, nil
	}
	sortFaults(r.faults)
	if s != nil {
		s.Volumes, s.MySQL, s.Env = nil, nil, nil
		if slices.ContainsFunc(r.faults, func(f Fault) bool { return strings.HasPrefix(f.Path, "users_from") }) {
			s.UsersFrom = nil
		}
		if slices.ContainsFunc(r.faults, openly) {
			s.Health.Listen, s.Health.WebConfig = "", ""
		}
	}
	return s, &Errors{Faults: r.faults}
}

// document reads what the layers come to.
func (r *reader) document(layers []Layer) *Spec {
	if top := r.merged(layers); top != nil {
		return r.spec(top)
	}
	return nil
}

// root returns the mapping that a layer's document is, or nil.
func (r *reader) root(doc []byte) *yaml.Node {
	top := &yaml.Node{Line: 1, Column: 1}
	if len(doc) > maxDocument {
		r.fault(top, "", "", "the document has %d bytes; at most %d are read", len(doc), maxDocument)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	var root yaml.Node
	switch err := dec.Decode(&root); {
	case errors.Is(err, io.EOF) || err == nil && (root.Kind != yaml.DocumentNode || len(root.Content) == 0):
		r.fault(top, "", "it begins with version: 1", "the document is empty")
		return nil
	case err != nil:
		r.syntax(doc, err)
		return nil
	}
	top = root.Content[0]
	if top.Kind != yaml.MappingNode {
		r.fault(top, "", "it begins with version: 1", "the document must be a mapping, not %s", kindOf(top))
		return nil
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.syntax(doc, err)
	default:
		r.fault(&second, "", "", "a second YAML document begins here; only one is read")
	}
	return top
}

// spec reads the document's mapping.
func (r *reader) spec(n *yaml.Node) *Spec {
	s := &Spec{}
	var volumes *yaml.Node
	var mysql, health func()
	r.mapping(n, "", fields{
		"version": func(n *yaml.Node, path string) { s.Version = r.version(n, path) },
		"users":   func(n *yaml.Node, path string) { s.Users = r.users(n, path) },
		"volumes": func(n *yaml.Node, path string) { volumes = n; s.Volumes = r.volumes(n, path) },
		"mysql": func(n *yaml.Node, path string) {
			mysql = func() { // volumes may stand below it
				s.MySQL = r.mysql(n, path, volumes)
				s.MySQL.find(s.Volumes)
			}
		},
		"health": func(n *yaml.Node, path string) {
			health = func() { s.Health = r.health(n, path, volumes) }
		},
		"imds":       func(n *yaml.Node, path string) { s.IMDS = r.imds(n, path) },
		"env":        func(n *yaml.Node, path string) { s.Env = r.env(n, path) },
		"role":       func(n *yaml.Node, path string) { s.Role = r.role(n, path) },
		"include":    func(n *yaml.Node, path string) { s.Include = r.include(n, path) },
		"users_from": func(n *yaml.Node, path string) { s.UsersFrom = r.usersFrom(n, path) },
	})
	for _, later := range []func(){mysql, health} {
		if later != nil {
			later()
		}
	}
	r.required(n, "", "version", "version: 1")
	return s
}

func (r *reader) version(n *yaml.Node, path string) int {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" {
		r.wrongType(n, path, "the number 1")
		return 0
	}
	if n.Value != "1" {
		r.fault(n, path, "version: 1", "%s is not known to this bootswain, which reads version 1", show(n.Value))
		return 0
	}
	return 1
}

func (r *reader) mysql(n *yaml.Node, path string, volumes *yaml.Node) *MySQL {
	m := &MySQL{}
	read := fields{
		"volume": func(n *yaml.Node, path string) {
			name, ok := r.text(n, path)
			if !ok {
				return
			}
			m.Volume = name
			r.lasting(n, path, name, volumes)
		},
		"upgrade":  func(n *yaml.Node, path string) { m.Upgrade, _ = r.boolean(n, path) },
		"isolated": func(n *yaml.Node, path string) { m.Isolated, _ = r.boolean(n, path) },
	}
	for _, part := range []Part{BinaryLogs, RedoLog, TmpDir} {
		read[string(part)] = func(n *yaml.Node, path string) {
			name, ok := r.text(n, path)
			if !ok {
				return
			}
			m.Elsewhere = append(m.Elsewhere, Elsewhere{Part: part, Volume: name})
			if part == TmpDir {
				r.known(n, path, name, volumes)
			} else {
				r.lasting(n, path, name, volumes)
			}
		}
	}
	r.mapping(n, path, read)
	r.required(n, path, "volume", "the name of one of volumes")
	for _, e := range m.Elsewhere {
		if e.Volume == m.Volume {
			r.fault(valueOf(n, string(e.Part)), step(path, string(e.Part)), "leave it out", "names %s, which has the data", show(e.Volume))
		}
	}
	return m
}

// find notes where the volumes of the parts are mounted.
func (m *MySQL) find(volumes []Volume) {
	for i, e := range m.Elsewhere {
		if at := slices.IndexFunc(volumes, func(v Volume) bool { return v.Name == e.Volume }); at >= 0 {
			m.Elsewhere[i].Mount = volumes[at].Mount
		}
	}
}

// lasting notes where n names a volume that is not there, or is lost with each
// boot.
func (r *reader) lasting(n *yaml.Node, path, name string, volumes *yaml.Node) {
	r.known(n, path, name, volumes)
	if hasKey(valueOf(volumes, name), "instance_store") {
		r.fault(n, path, "name a volume on EBS", "names %s, which is lost with each boot", show(name))
	}
}

// known notes where n names a volume that is not there.
func (r *reader) known(n *yaml.Node, path, name string, volumes *yaml.Node) {
	if !hasKey(volumes, name) {
		hint := nearest(name, keysOf(volumes))
		if hint != "" {
			hint += "?"
		}
		r.fault(n, path, hint, "names %s, which is not under volumes", show(name))
	}
}

// unsupported is a reader of a key that the design knows and this version
// cannot carry out.
func (r *reader) unsupported(hint string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) { r.fault(n, path, hint, "is not supported by this version") }
}

// hasKey tells whether the mapping n has the key at all, sound or not.
func hasKey(n *yaml.Node, key string) bool { return slices.Contains(keysOf(n), key) }

func keysOf(n *yaml.Node) (keys []string) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}

// required notes that the mapping n lacks the key.
func (r *reader) required(n *yaml.Node, path, key, hint string) {
	if n.Kind == yaml.MappingNode && !hasKey(n, key) {
		r.fault(n, step(path, key), hint, "missing")
	}
}

func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
