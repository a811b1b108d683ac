package web

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// maxCost bounds how long a password's check takes: 12 is a quarter of a second
// on a processor of today, and one more is twice that.
const maxCost = 12

// headerValues are the headers that may be set, and to what, as exporter-toolkit
// has them; none means anything.
var headerValues = map[string][]string{
	"Strict-Transport-Security": nil,
	"X-Content-Type-Options":    {"nosniff"},
	"X-Frame-Options":           {"deny", "sameorigin"},
	"X-XSS-Protection":          nil,
	"Content-Security-Policy":   nil,
}

// parse reads a file. In what it returns as root stands the content of the files
// that open has read, in place of their names.
func parse(text []byte, open func(string) ([]byte, error)) (*yaml.Node, *Config, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, nil, syntax(err)
	}
	if len(document.Content) == 0 {
		return nil, nil, errors.New("is empty")
	}
	root, c := document.Content[0], &Config{}
	var given bool
	err := mapping(root, map[string]func(*yaml.Node) error{
		"tls_server_config": func(n *yaml.Node) error {
			if isNull(n) {
				return nil
			}
			given = true
			return c.readTLS(n, open)
		},
		"basic_auth_users": func(n *yaml.Node) error {
			if isNull(n) {
				return nil
			}
			given = true
			return c.readUsers(n)
		},
		"http_server_config": c.readHTTP,
		"rate_limit": func(n *yaml.Node) error {
			return at(n, "rate_limit is not taken: it would keep a good poll out when others flood; the listener has limits of its own")
		},
	})
	switch {
	case err != nil:
		return nil, nil, err
	case !given:
		return nil, nil, errors.New("has neither tls_server_config nor basic_auth_users: it would keep nobody out")
	}
	return root, c, nil
}

func (c *Config) readUsers(n *yaml.Node) error {
	c.users = map[string][]byte{}
	err := pairs(n, func(key, value *yaml.Node) error {
		hash, err := text(value)
		if err != nil {
			return err
		}
		cost, err := bcrypt.Cost([]byte(hash))
		switch {
		case err != nil || len(hash) != 60:
			return at(value, "the password is no bcrypt hash; one is made by: htpasswd -nBC 10 NAME")
		case cost > maxCost:
			return at(value, "the password's hash is of cost %d; with more than %d a poll waits too long", cost, maxCost)
		}
		c.users[key.Value] = []byte(hash)
		return nil
	})
	if err == nil && len(c.users) == 0 {
		return at(n, "basic_auth_users has nobody")
	}
	return err
}

func (c *Config) readHTTP(n *yaml.Node) error {
	return mapping(n, map[string]func(*yaml.Node) error{
		// HTTP/1.1 is spoken whatever is allowed: for a poll every few seconds the
		// newer one has nothing to give, and more to attack.
		"http2": boolean,
		"headers": func(n *yaml.Node) error {
			if isNull(n) {
				return nil
			}
			c.headers = map[string]string{}
			return pairs(n, func(key, value *yaml.Node) error {
				allowed, known := headerValues[key.Value]
				set, err := text(value)
				switch {
				case err != nil:
					return err
				case !known:
					return at(key, "this header cannot be set")
				case len(allowed) > 0 && !slices.Contains(allowed, set):
					return at(value, "%s can be %q only", key.Value, allowed)
				}
				c.headers[key.Value] = set
				return nil
			})
		},
	})
}

// keyName is what may be shown of a key that is not known; another might be part
// of what is secret.
var keyName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// mapping has each value read by the function of its key. No value at all is an
// empty mapping.
func mapping(n *yaml.Node, known map[string]func(*yaml.Node) error) error {
	if isNull(n) {
		return nil
	}
	return pairs(n, func(key, value *yaml.Node) error {
		read, ok := known[key.Value]
		switch {
		case !ok && keyName.MatchString(key.Value):
			return at(key, "%s is not known here", key.Value)
		case !ok:
			return at(key, "a key is not known here")
		}
		return read(value)
	})
}

// pairs goes through a mapping in order.
func pairs(n *yaml.Node, do func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return at(n, "a mapping is needed here")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			return at(key, "a key is not text")
		case seen[key.Value]:
			return at(key, "a key is given twice")
		}
		seen[key.Value] = true
		if err := do(key, value); err != nil {
			return err
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func text(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
		return "", at(n, "text is needed here")
	}
	return n.Value, nil
}

func texts(n *yaml.Node) (all []string, err error) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, at(n, "a list of text is needed here")
	}
	for _, item := range n.Content {
		value, err := text(item)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

func boolean(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		return at(n, "true or false is needed here")
	}
	return nil
}

// oneOf returns the value of a name.
func oneOf[V any](n *yaml.Node, known map[string]V) (value V, err error) {
	name, err := text(n)
	if err != nil {
		return value, err
	}
	value, ok := known[name]
	if !ok {
		return value, at(n, "this value is not known, or not safe enough")
	}
	return value, nil
}

var cipherSuites = func() map[string]uint16 {
	m := map[string]uint16{}
	for _, s := range tls.CipherSuites() {
		m[s.Name] = s.ID
	}
	return m
}()

// at is an error of a line.
func at(n *yaml.Node, format string, args ...any) error {
	return errors.New("line " + strconv.Itoa(n.Line) + ": " + fmt.Sprintf(format, args...))
}

var lineOf = regexp.MustCompile(`^yaml: line (\d+):`)

// syntax is the YAML reader's error without what it quotes of the file.
func syntax(err error) error {
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		return errors.New("line " + m[1] + ": is no YAML")
	}
	return errors.New("is no YAML")
}
