package reference

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"bootswain/internal/cloud"
)

// secret is one in Secrets Manager. It is read only: whoever writes it has its
// rotation for that.
type secret struct {
	account *cloud.Account
	client  *secretsmanager.Client
	address string
	name    string
}

func newSecret(a *cloud.Account, address, name string) secret {
	return secret{a, secretsmanager.NewFromConfig(a.Config), address, name}
}

func (s secret) get(ctx context.Context) (Document, error) {
	out, err := cloud.Ask(ctx, s.account, "secretsmanager", "GetSecretValue", s.client.GetSecretValue, &secretsmanager.GetSecretValueInput{SecretId: &s.name})
	if err != nil {
		return Document{}, err
	}
	d := Document{Data: out.SecretBinary, Version: aws.ToString(out.VersionId)}
	if out.SecretString != nil {
		d.Data = []byte(*out.SecretString)
	}
	return d, nil
}

func (s secret) put(context.Context, []byte, string) (string, error) {
	return "", errors.New("cannot write " + s.address + ": secrets are read only; ssm: and s3:// can be written")
}
