package reference

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"bootswain/internal/cloud"
)

// Encryption returns the ARN of the customer-managed key of KMS that encrypts the
// document at an address: whoever reads the document also needs kms:Decrypt with
// it. "" is none; keys that AWS manages let everybody in the account use them
// through their services.
func Encryption(ctx context.Context, a *cloud.Account, address string) (arn string, err error) {
	p, err := at(a, address)
	if err != nil {
		return "", err
	}
	key, err := p.encryption(ctx)
	if err != nil || key == "" || strings.HasPrefix(key, "alias/aws/") {
		return "", err
	}
	in := &kms.DescribeKeyInput{KeyId: &key}
	out, err := cloud.Ask(ctx, a, "kms", "DescribeKey", kms.NewFromConfig(a.Config).DescribeKey, in)
	if err != nil || out.KeyMetadata == nil || out.KeyMetadata.KeyManager == kmstypes.KeyManagerTypeAws {
		return "", err
	}
	return aws.ToString(out.KeyMetadata.Arn), nil
}

func (o object) encryption(ctx context.Context) (string, error) {
	out, err := cloud.Ask(ctx, o.account, "s3", "HeadObject", o.client.HeadObject, &s3.HeadObjectInput{Bucket: &o.bucket, Key: &o.key})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SSEKMSKeyId), nil
}

func (s secret) encryption(ctx context.Context) (string, error) {
	in := &secretsmanager.DescribeSecretInput{SecretId: &s.name}
	out, err := cloud.Ask(ctx, s.account, "secretsmanager", "DescribeSecret", s.client.DescribeSecret, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.KmsKeyId), nil // absent for the key that AWS manages
}

func (p parameter) encryption(ctx context.Context) (string, error) {
	name := p.name
	if _, after, isARN := strings.Cut(name, ":parameter"); isARN {
		name = after
	}
	in := &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Values: []string{name}}}}
	out, err := cloud.Ask(ctx, p.account, "ssm", "DescribeParameters", p.client.DescribeParameters, in)
	if err != nil {
		return "", err
	}
	if len(out.Parameters) == 0 {
		return "", errors.New("there is no such parameter")
	}
	return aws.ToString(out.Parameters[0].KeyId), nil // only those that are encrypted have one
}
