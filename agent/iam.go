package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"

	"bootswain/internal/reference"
	"bootswain/spec"
)

// ConfigIAM prints the smallest policy with which an instance's role can do what
// a launch document asks for. Actions whose resources IAM cannot name are
// allowed for all. What the policy may lack is said on stderr.
func ConfigIAM(ctx context.Context, o CheckOptions, scope Scope, stdin io.Reader, stdout, stderr io.Writer) error {
	if scope.Region != "*" {
		o.Region = scope.Region
	}
	data, account, err := o.data(ctx, stdin)
	if err != nil {
		return err
	}
	asked := readWith(data, o.roles())
	if asked.err != nil {
		fmt.Fprint(stdout, faultsText(asked.err))
		return asked.trouble
	}
	if asked.spec.Include != "" && data.Included == nil {
		fmt.Fprintf(stderr, "note: %s asks for more, and is not looked at: give its file too, or --aws\n", asked.spec.Include)
		data.Included = []byte("version: 1\n")
		asked = readWith(data, o.roles())
	}
	keys := map[string]string{}
	for _, address := range addresses(asked.spec) {
		if account == nil {
			fmt.Fprintf(stderr, "note: if a customer-managed key of KMS encrypts %s, kms:Decrypt with it is needed too; --aws looks\n", address)
		} else if keys[address], err = reference.Encryption(ctx, account, address); err != nil {
			fmt.Fprintf(stderr, "note: if a customer-managed key of KMS encrypts %s, kms:Decrypt with it is needed too; cannot look: %v\n", address, err)
		}
	}
	p := scope.policy(asked.spec, keys)
	if len(p.Statement) == 0 {
		return fmt.Errorf("%s asks AWS for nothing: the instance needs no role for it", o.File)
	}
	e := json.NewEncoder(stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

// addresses are those of all documents and keys that the instance reads.
func addresses(asked *spec.Spec) (all []string) {
	add := func(address string) {
		if address != "" && !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	add(asked.Include)
	add(usersAddress(asked))
	for _, v := range asked.Volumes {
		for _, source := range v.Encryption.Sources {
			add(keyAddress(source))
		}
	}
	return all
}

// parameterVersion is the version or label after a parameter's name or ARN.
var parameterVersion = regexp.MustCompile(`:[A-Za-z0-9_.-]+$`)

// keyAddress is the address of a volume's key that is kept as a document, or "".
func keyAddress(from spec.KeySource) string {
	switch {
	case from.SecretsManager != nil:
		return "secretsmanager:" + from.SecretsManager.Secret
	case from.SSM != nil:
		return "ssm:" + parameterVersion.ReplaceAllString(from.SSM.Parameter, "")
	}
	return ""
}
