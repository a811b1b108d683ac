package secret

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bootswain/internal/cloud"
)

// account is AWS, asked in the region that an ARN names, or else in this one.
func (r Ring) account(ctx context.Context, name string) (*cloud.Account, error) {
	a, err := cloud.Open(ctx, "")
	if err != nil {
		return nil, err
	}
	return inRegionOf(a, name).Bounded(r.limit), nil
}

func inRegionOf(a *cloud.Account, name string) *cloud.Account {
	if part := strings.Split(name, ":"); len(part) > 5 && part[0] == "arn" {
		return a.In(part[3])
	}
	return a
}

func (r Ring) kms(ctx context.Context, k *kmsKey) (*Key, error) {
	key := k.Key
	if key == "" {
		key = "the key of the ciphertext"
	}
	ask := question{service: "KMS", thing: key, detail: ", context " + inWords(k.Context)}
	a, err := r.account(ctx, k.Key)
	if err != nil {
		return nil, ask.locked(err)
	}
	in := &kms.DecryptInput{CiphertextBlob: k.Ciphertext, EncryptionContext: k.Context}
	if k.Key != "" {
		in.KeyId = aws.String(k.Key)
	}
	out, err := cloud.Ask(ctx, a, "kms", "Decrypt", kms.NewFromConfig(a.Config).Decrypt, in)
	if err != nil {
		return nil, ask.locked(err)
	}
	return ask.key(out.Plaintext)
}

// MakeInKMS has a key of KMS make a new volume key, bound to an encryption
// context, and returns its ciphertext. The key itself does not leave KMS.
func MakeInKMS(ctx context.Context, key string, context map[string]string) (ciphertext []byte, err error) {
	a, err := Ring{}.account(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	in := &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: aws.String(key), EncryptionContext: context, NumberOfBytes: aws.Int32(RandomSize)}
	out, err := cloud.Ask(ctx, a, "kms", "GenerateDataKeyWithoutPlaintext", kms.NewFromConfig(a.Config).GenerateDataKeyWithoutPlaintext, in)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key: %w", err)
	}
	return out.CiphertextBlob, nil
}

// inWords is an encryption context as people read it: "app=shop,set=orders".
func inWords(context map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(context)) {
		words = append(words, name+"="+context[name])
	}
	return strings.Join(words, ",")
}

func (r Ring) managedSecret(ctx context.Context, s *managedSecret) (*Key, error) {
	ask := question{service: "Secrets Manager", thing: s.Secret}
	a, err := r.account(ctx, s.Secret)
	if err != nil {
		return nil, ask.locked(err)
	}
	in := &secretsmanager.GetSecretValueInput{SecretId: aws.String(s.Secret)}
	if s.Version != "" {
		in.VersionId, ask.thing = aws.String(s.Version), s.Secret+" version "+s.Version
	}
	out, err := cloud.Ask(ctx, a, "secretsmanager", "GetSecretValue", secretsmanager.NewFromConfig(a.Config).GetSecretValue, in)
	if err != nil {
		return nil, ask.locked(err)
	}
	if out.SecretString != nil {
		return ask.key([]byte(*out.SecretString))
	}
	return ask.key(out.SecretBinary)
}

func (r Ring) parameter(ctx context.Context, p *parameter) (*Key, error) {
	ask := question{service: "Systems Manager", thing: "parameter " + p.Parameter}
	a, err := r.account(ctx, p.Parameter)
	if err != nil {
		return nil, ask.locked(err)
	}
	in := &ssm.GetParameterInput{Name: aws.String(p.Parameter), WithDecryption: aws.Bool(true)}
	out, err := cloud.Ask(ctx, a, "ssm", "GetParameter", ssm.NewFromConfig(a.Config).GetParameter, in)
	if err != nil {
		return nil, ask.locked(err)
	}
	return ask.key([]byte(aws.ToString(out.Parameter.Value)))
}

// question is what AWS is asked for, in words.
type question struct{ service, thing, detail string }

func (q question) key(b []byte) (*Key, error) {
	k, err := New(b)
	if err != nil {
		return nil, unusable(q.service+"'s "+q.thing, err)
	}
	return k, nil
}

// again ends the next step of what the daemon tries again every 30 s.
const again = "; tried again by itself"

// locked says why AWS did not give the key.
func (q question) locked(err error) error {
	f := cloud.Of(err)
	if f == nil {
		return err
	}
	switch {
	case f.Code == "InvalidCiphertextException":
		return locked(err, fmt.Sprintf("KMS cannot decrypt the key: its ciphertext is damaged, or was not made with context %s", strings.TrimPrefix(q.detail, ", context ")),
			"give ciphertext and context as bootswain key new printed them")
	case f.Code == "IncorrectKeyException":
		return locked(err, "KMS cannot decrypt the key: its ciphertext was not made with "+q.thing, "give ciphertext and key as bootswain key new printed them")
	case f.Kind == cloud.Denied:
		to := ""
		if f.Role != "" {
			to = ", to role " + f.Role
		}
		return locked(err, fmt.Sprintf("%s denied %s on %s%s%s", q.service, f.Action, q.thing, q.detail, to), f.Next()+again)
	case f.Kind == cloud.NotFound:
		return locked(err, fmt.Sprintf("%s has no %s in %s", q.service, q.thing, f.Region), "make it there, or correct its name"+again)
	}
	return locked(err, f.Error(), f.Next()+again)
}
