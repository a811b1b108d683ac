package spec

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// ParseUsers reads a list of users that is kept outside the launch data: a
// document of the same form with nothing but version and users. With any fault
// the error is an *Errors, and no user is returned: half of a list could take
// the access of those in the other half.
func ParseUsers(doc []byte) ([]User, error) {
	s, err := Parse(doc)
	if err != nil {
		return nil, err
	}
	var r reader
	var root yaml.Node
	if err := yaml.Unmarshal(doc, &root); err != nil {
		return nil, err // Parse has read it, so it cannot be
	}
	top := root.Content[0]
	for i := 0; i+1 < len(top.Content); i += 2 {
		if key := top.Content[i]; key.Value != "version" && key.Value != "users" {
			r.fault(key, step("", key.Value), "only version and users", "does not belong in a list of users")
		}
	}
	if r.faults != nil {
		return nil, &Errors{Faults: r.faults}
	}
	return s.Users, nil
}

// Grant is a user's entry as "users grant" writes it.
type Grant struct {
	Name    string    `yaml:"name"`
	Sudo    bool      `yaml:"sudo,omitempty"`
	Keys    []string  `yaml:"ssh_authorized_keys"`
	Expires time.Time `yaml:"expires,omitempty"`
}

// GrantUser returns the list doc, which may be empty, with the entry g in the
// place of any of that name. What else people wrote there stays, comments too.
// The error of a list or an entry with a fault is an *Errors.
func GrantUser(doc []byte, g Grant) ([]byte, error) {
	if len(bytes.TrimSpace(doc)) == 0 {
		doc = []byte("#bootswain\nversion: 1\nusers: []\n")
	}
	var entry yaml.Node
	if err := entry.Encode(g); err != nil {
		return nil, fmt.Errorf("cannot write the entry: %w", err)
	}
	return editUsers(doc, func(users *yaml.Node) {
		users.Style = 0 // "[]" becomes a block
		if i := indexOf(users, g.Name); i >= 0 {
			users.Content[i] = &entry
		} else {
			users.Content = append(users.Content, &entry)
		}
	})
}

// RevokeUser returns the list doc without the entry of a name, and whether there
// was one.
func RevokeUser(doc []byte, name string) (edited []byte, found bool, err error) {
	if len(bytes.TrimSpace(doc)) == 0 {
		return doc, false, nil
	}
	edited, err = editUsers(doc, func(users *yaml.Node) {
		if i := indexOf(users, name); i >= 0 {
			found = true
			users.Content = slices.Delete(users.Content, i, i+1)
		}
	})
	return edited, found, err
}

// editUsers changes a list that is sound, and checks what came of it.
func editUsers(doc []byte, change func(users *yaml.Node)) ([]byte, error) {
	if _, err := ParseUsers(doc); err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(doc, &root); err != nil {
		return nil, err
	}
	top := root.Content[0]
	users := valueOf(top, "users")
	if users == nil {
		users = &yaml.Node{Kind: yaml.SequenceNode}
		top.Content = append(top.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "users"}, users)
	}
	change(users)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&root); err != nil {
		return nil, fmt.Errorf("cannot write the list: %w", err)
	}
	_, err := ParseUsers(b.Bytes())
	return b.Bytes(), err
}

func indexOf(users *yaml.Node, name string) int {
	return slices.IndexFunc(users.Content, func(entry *yaml.Node) bool {
		n := valueOf(entry, "name")
		return n != nil && n.Value == name
	})
}
