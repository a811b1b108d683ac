// Package web is who may ask for health: TLS, client certificates and passwords,
// by the file format of Prometheus's exporter-toolkit
// (https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md),
// so that one file serves here and for the exporters beside.
//
// The format is read here and not by exporter-toolkit's own package: that one
// makes the program three times as large, reads the key with every handshake and
// checks as many wrong passwords as are sent. What is taken here is taken there;
// what would let in more than it seems to is refused here.
//
// Errors name the line and never a value: a file holds keys and passwords. A
// Config cannot be printed with what is secret in it.
package web

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file and each that it names, in bytes. systemd hands no more
// than a MiB to a service.
const maxFile = 128 << 10

// Config is a file that was read, and whose key fits its certificate.
type Config struct {
	tls     *tls.Config       // nil: plain HTTP
	chain   []byte            // PEM: what is shown to clients
	users   map[string][]byte // bcrypt hashes by name
	headers map[string]string
}

// Load reads the file at path and the files that it names, from the folder that
// it is in. whole is the same file with their content in it, for Parse.
func Load(path string) (c *Config, whole []byte, err error) {
	text, err := read(path)
	if err != nil {
		return nil, nil, err
	}
	root, c, err := parse(text, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return read(name)
	})
	if err != nil {
		return nil, nil, err
	}
	if whole, err = yaml.Marshal(root); err != nil {
		return nil, nil, fmt.Errorf("cannot be written as a whole: %w", err)
	}
	return c, whole, nil
}

// Parse reads a file that names no others.
func Parse(text []byte) (*Config, error) {
	_, c, err := parse(text, func(string) ([]byte, error) { return nil, errors.New("names a file") })
	return c, err
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return text, nil
}

// TLS is how clients are spoken to; nil means plain HTTP.
func (c *Config) TLS() *tls.Config { return c.tls }

// Chain is what clients are shown in PEM: the certificate, and those between it
// and its authority.
func (c *Config) Chain() []byte { return c.chain }

// Bare says whether passwords come unencrypted.
func (c *Config) Bare() bool { return c.tls == nil }

// String says who may ask: "over TLS, to clients with a certificate of client_ca".
func (c *Config) String() string {
	how, who := "over TLS", []string{}
	if c.tls == nil {
		how = "unencrypted"
	} else {
		switch c.tls.ClientAuth {
		case tls.RequireAndVerifyClientCert:
			who = append(who, "with a certificate that client_ca signed")
		case tls.RequireAnyClientCert:
			who = append(who, "with any certificate, whoever signed it")
		}
	}
	if len(c.users) > 0 {
		who = append(who, "with a password")
	}
	if len(who) == 0 {
		return how + ", to everybody who reaches it"
	}
	return how + ", to clients " + strings.Join(who, " and ")
}

// Guard lets those through to h who have a password, if there are passwords, and
// sets the headers that are asked for.
func (c *Config) Guard(h http.Handler) http.Handler {
	if len(c.users) > 0 {
		h = newGate(c.users, h)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range c.headers {
			w.Header().Set(name, value)
		}
		h.ServeHTTP(w, r)
	})
}
