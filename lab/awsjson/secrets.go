package awsjson

import (
	"cmp"
	"crypto/rand"
	"strconv"
	"strings"
)

// secret is a secret of Secrets Manager, of one version.
type secret struct {
	Name         string
	Version      string  `json:"VersionId"`
	SecretString *string `json:",omitempty"`
	SecretBinary []byte  `json:",omitempty"`
	ARN          string
	key          string // of KMS; "" is the one that AWS manages
}

// AddSecret makes a secret of a text.
func (s *Server) AddSecret(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[name] = &secret{Name: name, Version: rand.Text(), SecretString: &text, ARN: s.arn("secretsmanager", "secret:"+name)}
}

func (s *Server) createSecret(in struct {
	Name         string
	SecretString *string
	SecretBinary []byte
	KmsKeyId     string
}) (any, error) {
	if s.secrets[in.Name] != nil {
		return nil, failure("ResourceExistsException", "The operation failed because the secret %s already exists.", in.Name)
	}
	made := &secret{in.Name, rand.Text() + "lab1234", in.SecretString, in.SecretBinary, s.arn("secretsmanager", "secret:"+in.Name+"-"+rand.Text()[:6]), in.KmsKeyId}
	s.secrets[in.Name] = made
	return map[string]any{"ARN": made.ARN, "Name": made.Name, "VersionId": made.Version}, nil
}

// secret finds a secret by name or ARN.
func (s *Server) secret(id string) (*secret, error) {
	for name, found := range s.secrets {
		if name == id || found.ARN == id {
			return found, nil
		}
	}
	return nil, failure("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func (s *Server) getSecretValue(in struct{ SecretId, VersionId string }) (any, error) {
	found, err := s.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	if in.VersionId != "" && in.VersionId != found.Version {
		return nil, failure("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", in.VersionId)
	}
	return found, nil
}

func (s *Server) describeSecret(in struct{ SecretId string }) (any, error) {
	found, err := s.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"ARN": found.ARN, "Name": found.Name}
	if found.key != "" {
		answer["KmsKeyId"] = found.key
	}
	return answer, nil
}

func (s *Server) deleteSecret(in struct{ SecretId string }) (any, error) {
	found, err := s.secret(in.SecretId)
	if err != nil {
		return nil, err
	}
	delete(s.secrets, found.Name)
	return map[string]any{"ARN": found.ARN, "Name": found.Name}, nil
}

// parameter is a parameter of Systems Manager, with all its versions.
type parameter struct {
	kind   string
	values []string // from version 1
	key    string   // of KMS, by which those that are encrypted are
}

// managedKey is the key that AWS makes for parameters.
const managedKey = "alias/aws/ssm"

// AddParameter makes a parameter that is encrypted.
func (s *Server) AddParameter(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parameters[name] = &parameter{"SecureString", []string{value}, managedKey}
}

func (s *Server) putParameter(in struct {
	Name, Value, Type, KeyId string
	Overwrite                bool
}) (any, error) {
	p := s.parameters[in.Name]
	switch {
	case p != nil && !in.Overwrite:
		return nil, failure("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case p == nil:
		p = &parameter{kind: in.Type, key: cmp.Or(in.KeyId, managedKey)}
		s.parameters[in.Name] = p
	}
	p.values = append(p.values, in.Value)
	return map[string]any{"Version": len(p.values), "Tier": "Standard"}, nil
}

func (s *Server) getParameter(in struct {
	Name           string
	WithDecryption bool
}) (any, error) {
	name := in.Name
	if parts := strings.SplitN(name, ":", 6); len(parts) == 6 && parts[0] == "arn" {
		name = strings.TrimPrefix(parts[5], "parameter")
	}
	name, of, versioned := strings.Cut(name, ":")
	p := s.parameters[name]
	if p == nil {
		return nil, failure("ParameterNotFound", "")
	}
	version := len(p.values)
	if versioned {
		n, err := strconv.Atoi(of)
		if err != nil || n < 1 || n > version {
			return nil, failure("ParameterVersionNotFound", "Systems Manager could not find version %s of %s.", of, name)
		}
		version = n
	}
	value := p.values[version-1]
	if p.kind == "SecureString" && !in.WithDecryption {
		value = "kms:encrypted"
	}
	return map[string]any{"Parameter": map[string]any{"Name": name, "Type": p.kind, "Value": value, "Version": version, "ARN": s.arn("ssm", "parameter"+name), "DataType": "text"}}, nil
}

// describeParameters knows the filter by name.
func (s *Server) describeParameters(in struct {
	ParameterFilters []struct {
		Key    string
		Values []string
	}
}) (any, error) {
	found := []any{}
	for _, filter := range in.ParameterFilters {
		if filter.Key != "Name" {
			return nil, failure("InvalidFilterKey", "The laboratory knows Name.")
		}
		for _, name := range filter.Values {
			if p := s.parameters[name]; p != nil && p.kind == "SecureString" {
				found = append(found, map[string]any{"Name": name, "Type": p.kind, "KeyId": p.key})
			} else if p != nil {
				found = append(found, map[string]any{"Name": name, "Type": p.kind})
			}
		}
	}
	return map[string]any{"Parameters": found}, nil
}

func (s *Server) deleteParameter(in struct{ Name string }) (any, error) {
	if s.parameters[in.Name] == nil {
		return nil, failure("ParameterNotFound", "")
	}
	delete(s.parameters, in.Name)
	return map[string]any{}, nil
}
