package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var versions = map[string]uint16{"TLS12": tls.VersionTLS12, "TLS13": tls.VersionTLS13}

var curves = map[string]tls.CurveID{"CurveP256": tls.CurveP256, "CurveP384": tls.CurveP384, "CurveP521": tls.CurveP521, "X25519": tls.X25519}

var clientAuth = map[string]tls.ClientAuthType{
	"NoClientCert":               tls.NoClientCert,
	"RequestClientCert":          tls.RequestClientCert,
	"RequireClientCert":          tls.RequireAnyClientCert,
	"RequireAnyClientCert":       tls.RequireAnyClientCert,
	"VerifyClientCertIfGiven":    tls.VerifyClientCertIfGiven,
	"RequireAndVerifyClientCert": tls.RequireAndVerifyClientCert,
}

// readTLS reads the part about TLS. Versions, suites and curves are as
// exporter-toolkit names them; TLS before 1.2 is refused.
func (c *Config) readTLS(n *yaml.Node, open func(string) ([]byte, error)) (err error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	var key, authorities []byte
	var sans []string
	inline := func(to *[]byte) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			if *to != nil {
				return at(n, "is given a second time, in the file and by a file's name")
			}
			value, err := text(n)
			*to = []byte(value)
			return err
		}
	}
	// file puts a file's content where its name was.
	file := func(to *[]byte) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			name, err := text(n)
			if err != nil {
				return err
			}
			content, err := open(name)
			if err != nil {
				return at(n, "%v", err)
			}
			n.Value, n.Style = string(content), yaml.LiteralStyle
			return inline(to)(n)
		}
	}
	err = mapping(n, map[string]func(*yaml.Node) error{
		"cert": inline(&c.chain), "cert_file": file(&c.chain),
		"key": inline(&key), "key_file": file(&key),
		"client_ca": inline(&authorities), "client_ca_file": file(&authorities),
		"client_auth_type":    func(n *yaml.Node) (err error) { t.ClientAuth, err = oneOf(n, clientAuth); return err },
		"client_allowed_sans": func(n *yaml.Node) (err error) { sans, err = texts(n); return err },
		"min_version":         func(n *yaml.Node) (err error) { t.MinVersion, err = oneOf(n, versions); return err },
		"max_version":         func(n *yaml.Node) (err error) { t.MaxVersion, err = oneOf(n, versions); return err },
		"cipher_suites":       func(n *yaml.Node) (err error) { t.CipherSuites, err = each(n, cipherSuites); return err },
		"curve_preferences":   func(n *yaml.Node) (err error) { t.CurvePreferences, err = each(n, curves); return err },
		// Means nothing there, either, since Go chooses by itself.
		"prefer_server_cipher_suites": boolean,
	})
	if err != nil {
		return err
	}
	for i := 0; i < len(n.Content); i += 2 {
		if k := n.Content[i]; slices.Contains([]string{"cert_file", "key_file", "client_ca_file"}, k.Value) {
			k.Value = strings.TrimSuffix(k.Value, "_file")
		}
	}
	if c.tls, err = withCertificates(t, c.chain, key, authorities, sans); err != nil {
		return at(n, "%v", err)
	}
	return nil
}

func withCertificates(t *tls.Config, chain, key, authorities []byte, sans []string) (*tls.Config, error) {
	verifies := t.ClientAuth >= tls.VerifyClientCertIfGiven
	switch {
	case chain == nil || key == nil:
		return nil, errors.New("needs cert_file and key_file")
	case t.MinVersion > t.MaxVersion:
		return nil, errors.New("min_version is above max_version")
	case verifies && authorities == nil:
		return nil, errors.New("needs client_ca_file: without it, whom any public authority knows would be let in")
	case !verifies && authorities != nil:
		return nil, errors.New("has client_ca_file, and client_auth_type does not ask for certificates of it: RequireAndVerifyClientCert does")
	case !verifies && sans != nil:
		return nil, errors.New("has client_allowed_sans, and client_auth_type does not ask who signed them: RequireAndVerifyClientCert does")
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, errors.New("the certificate and the key cannot be used together: " + strings.TrimPrefix(err.Error(), "tls: "))
	}
	t.Certificates = []tls.Certificate{pair}
	if authorities != nil {
		t.ClientCAs = x509.NewCertPool()
		if !t.ClientCAs.AppendCertsFromPEM(authorities) {
			return nil, errors.New("client_ca_file holds no certificate in PEM")
		}
	}
	if sans != nil {
		t.VerifyConnection = func(s tls.ConnectionState) error { return allowed(s.PeerCertificates, sans) }
	}
	return t, nil
}

// allowed looks for a name of the client's in the list. Who showed no certificate
// is here only where none is required.
func allowed(chain []*x509.Certificate, sans []string) error {
	if len(chain) == 0 {
		return nil
	}
	client := chain[0]
	names := slices.Concat(client.DNSNames, client.EmailAddresses)
	for _, ip := range client.IPAddresses {
		names = append(names, ip.String())
	}
	for _, uri := range client.URIs {
		names = append(names, uri.String())
	}
	if !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(sans, name) }) {
		return errors.New("the client's certificate has none of the names in client_allowed_sans")
	}
	return nil
}

func each[V any](n *yaml.Node, known map[string]V) (all []V, err error) {
	if n.Kind != yaml.SequenceNode {
		return nil, at(n, "a list is needed here")
	}
	for _, item := range n.Content {
		value, err := oneOf(item, known)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}
