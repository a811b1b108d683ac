package spec

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/ssh"
)

// sshKeyTypes are the public key types that OpenSSH 9.1 and later read in
// authorized_keys and that are strong enough. DSA is gone since OpenSSH 10.
var sshKeyTypes = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoRSA,
	ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256,
}

// dsa is the type of the keys that people still have and that are not taken.
const dsa = "ssh-dss"

// minRSABits is OpenSSH's RequiredRSASize as Debian and NIST recommend it.
const minRSABits = 2048

// sshKeys reads a list whose entries are authorized_keys lines, or mappings of
// a line and when it expires; that is put into the line.
func (r *reader) sshKeys(n *yaml.Node, path string) (keys []string) {
	if !r.kind(n, path, yaml.SequenceNode) {
		return nil
	}
	for i, entry := range n.Content {
		keys = append(keys, r.sshKey(entry, at(path, i)))
	}
	return keys
}

func (r *reader) sshKey(n *yaml.Node, path string) (line string) {
	key := func(n *yaml.Node, path string) {
		text, ok := r.text(n, path)
		if !ok {
			return
		}
		line = strings.TrimSpace(text) // a block scalar ends with a line break
		if err := CheckSSHKey(line); err != nil {
			r.fault(n, path, "", "%s", err)
		}
	}
	if n.Kind != yaml.MappingNode {
		key(n, path)
		return line
	}
	var expires time.Time
	r.mapping(n, path, fields{
		"key":     key,
		"expires": func(n *yaml.Node, path string) { expires = r.moment(n, path) },
	})
	r.required(n, path, "key", "the line of the .pub file")
	return ExpiringSSHKey(line, expires)
}

// CheckSSHKey says why sshd would not take the authorized_keys line, or why it
// should not. The error never repeats the line, which may be a private key.
func CheckSSHKey(line string) error {
	if strings.Contains(line, "PRIVATE KEY-----") {
		return errors.New("is a private key; the public one, from the .pub file, belongs here, and this one is to be replaced")
	}
	if strings.ContainsAny(line, "\r\n\x00") {
		return errors.New("is more than one line; one list entry holds one key")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return errors.New(whyNoKey(line))
	}
	if _, isCert := key.(*ssh.Certificate); isCert {
		return errors.New("is a certificate; what belongs here is the key of the authority that signed it, with the option cert-authority")
	}
	if key.Type() == dsa {
		return errors.New("is a DSA key, which is too weak; use ssh-ed25519")
	}
	if !slices.Contains(sshKeyTypes, key.Type()) {
		return fmt.Errorf("is of type %s, which sshd may not know; use ssh-ed25519", key.Type())
	}
	if pub, ok := key.(ssh.CryptoPublicKey); ok {
		if k, ok := pub.CryptoPublicKey().(*rsa.PublicKey); ok && k.N.BitLen() < minRSABits {
			return fmt.Errorf("is an RSA key of %d bits, which is too weak; at least %d, or ssh-ed25519", k.N.BitLen(), minRSABits)
		}
	}
	return checkSSHOptions(options)
}

// whyNoKey finds the reason that the ssh package does not give.
func whyNoKey(line string) string {
	words := strings.Fields(line)
	i := slices.IndexFunc(words, func(w string) bool { return slices.Contains(sshKeyTypes, w) || w == dsa })
	switch {
	case i < 0:
		return "is no SSH public key: no key type such as ssh-ed25519 in it"
	case i+1 == len(words):
		return "is no SSH public key: nothing follows " + words[i]
	}
	blob, err := base64.StdEncoding.DecodeString(words[i+1])
	if err != nil {
		return "is no SSH public key: the data after " + words[i] + " is not base64, or was cut short"
	}
	key, err := ssh.ParsePublicKey(blob)
	switch {
	case err != nil:
		return "is no SSH public key: the data after " + words[i] + " is damaged or was cut short"
	case key.Type() != words[i]:
		return "says " + words[i] + ", but its data is of type " + key.Type()
	}
	return "is no SSH public key: the options before " + words[i] + " are not well-formed"
}
