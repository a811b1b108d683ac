package secret

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"bootswain/internal/cloud"
)

// TryKMS asks whether KMS would decrypt a volume's key for the caller. KMS does
// everything but that: its answer holds no key. key is the key of KMS that has to
// be used, or "".
func TryKMS(ctx context.Context, a *cloud.Account, key string, ciphertext []byte, encryptionContext map[string]string) error {
	in := &kms.DecryptInput{CiphertextBlob: ciphertext, EncryptionContext: encryptionContext, DryRun: aws.Bool(true)}
	ask := question{service: "KMS", thing: "the key of the ciphertext", detail: ", context " + inWords(encryptionContext)}
	if key != "" {
		in.KeyId, ask.thing = aws.String(key), key
	}
	a = inRegionOf(a, key)
	_, err := cloud.Ask(ctx, a, "kms", "Decrypt", kms.NewFromConfig(a.Config).Decrypt, in)
	if f := cloud.Of(err); err == nil || f != nil && f.Code == "DryRunOperationException" {
		return nil
	}
	return ask.locked(err)
}
