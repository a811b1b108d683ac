package awsjson

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
)

// key is a key of KMS. Ciphertexts hold its id, so that Decrypt need not be told.
type key struct {
	id      string
	aead    cipher.AEAD
	Enabled bool
}

const idSize = 36

// AddKey makes a key and returns its id. alias, "alias/orders", may be "".
func (s *Server) AddKey(alias string) (id string) {
	secret := make([]byte, 32)
	rand.Read(secret)
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has blocks of the right size
	}
	u := make([]byte, 16)
	rand.Read(u)
	id = fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = &key{id: id, aead: aead, Enabled: true}
	if alias != "" {
		s.aliases[alias] = id
	}
	return id
}

// EnableKey turns a key on or off.
func (s *Server) EnableKey(id string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id].Enabled = on
}

// Encrypt encrypts as KMS would, for tests that know the plaintext.
func (s *Server) Encrypt(id string, context map[string]string, plaintext []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[id].encrypt(context, plaintext)
}

func (k *key) encrypt(context map[string]string, plaintext []byte) []byte {
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce)
	return k.aead.Seal(append([]byte(k.id), nonce...), nonce, plaintext, bound(context))
}

// bound is an encryption context as what is authenticated: maps marshal in the
// order of their keys.
func bound(context map[string]string) []byte {
	if len(context) == 0 {
		return nil
	}
	b, err := json.Marshal(context)
	if err != nil {
		panic(err) // texts always marshal
	}
	return b
}

// key finds a key by id, alias or the ARN of either.
func (s *Server) key(name string) (*key, error) {
	if parts := strings.SplitN(name, ":", 6); len(parts) == 6 {
		name = strings.TrimPrefix(parts[5], "key/")
	}
	k := s.keys[name]
	if id, ok := s.aliases[name]; ok {
		k = s.keys[id]
	}
	switch {
	case k == nil && strings.HasPrefix(name, "alias/"):
		return nil, failure("NotFoundException", "Alias %s is not found.", s.arn("kms", name))
	case k == nil:
		return nil, failure("NotFoundException", "Key '%s' does not exist", s.arn("kms", "key/"+name))
	case !k.Enabled:
		return nil, failure("DisabledException", "%s is disabled.", s.arn("kms", "key/"+k.id))
	}
	return k, nil
}

type decryptRequest struct {
	CiphertextBlob    []byte
	EncryptionContext map[string]string
	KeyId             string
	DryRun            bool
}

func (s *Server) decrypt(in decryptRequest) (any, error) {
	blob := in.CiphertextBlob
	if len(blob) < idSize {
		return nil, failure("InvalidCiphertextException", "")
	}
	made := s.keys[string(blob[:idSize])]
	if made == nil {
		return nil, failure("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
	}
	k, err := s.key(made.id)
	if err != nil {
		return nil, err
	}
	if in.KeyId != "" {
		named, err := s.key(in.KeyId)
		if err != nil {
			return nil, err
		}
		if named != k {
			return nil, failure("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	n := k.aead.NonceSize()
	if blob = blob[idSize:]; len(blob) < n {
		return nil, failure("InvalidCiphertextException", "")
	}
	plaintext, err := k.aead.Open(nil, blob[:n], blob[n:], bound(in.EncryptionContext))
	if err != nil {
		return nil, failure("InvalidCiphertextException", "")
	}
	if in.DryRun {
		return nil, failure("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
	}
	return map[string]any{"KeyId": s.arn("kms", "key/"+k.id), "Plaintext": plaintext, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
}

type generateRequest struct {
	KeyId             string
	NumberOfBytes     int
	EncryptionContext map[string]string
}

func (s *Server) generateDataKey(in generateRequest) (any, error) {
	k, err := s.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if in.NumberOfBytes < 1 || in.NumberOfBytes > 1024 {
		return nil, failure("ValidationException", "NumberOfBytes must be from 1 to 1024")
	}
	plaintext := make([]byte, in.NumberOfBytes)
	rand.Read(plaintext)
	return map[string]any{"KeyId": s.arn("kms", "key/"+k.id), "CiphertextBlob": k.encrypt(in.EncryptionContext, plaintext)}, nil
}

func (s *Server) describeKey(in struct{ KeyId string }) (any, error) {
	k, err := s.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyMetadata": map[string]any{"KeyId": k.id, "Arn": s.arn("kms", "key/"+k.id), "Enabled": k.Enabled, "KeyState": "Enabled", "KeyManager": "CUSTOMER", "KeyUsage": "ENCRYPT_DECRYPT"}}, nil
}
