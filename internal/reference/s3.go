package reference

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bootswain/internal/cloud"
)

// object is an object in S3. Writes are conditional by S3 itself:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
type object struct {
	account     *cloud.Account
	client      *s3.Client
	address     string
	bucket, key string
}

func newObject(a *cloud.Account, address, bucket, key string) object {
	client := s3.NewFromConfig(a.Config, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // an endpoint that is given has no name for each bucket
	})
	return object{a, client, address, bucket, key}
}

func (o object) get(ctx context.Context) (d Document, err error) {
	err = o.account.Do(ctx, "s3", "GetObject", func(ctx context.Context) error {
		out, err := o.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		d.Version = aws.ToString(out.ETag)
		d.Data, err = io.ReadAll(io.LimitReader(out.Body, maxSize+1))
		return err
	})
	if err == nil && len(d.Data) > maxSize {
		return Document{}, fmt.Errorf("%s holds more than %d bytes", o.address, maxSize)
	}
	return d, err
}

func (o object) put(ctx context.Context, data []byte, over string) (string, error) {
	in := &s3.PutObjectInput{Bucket: &o.bucket, Key: &o.key, Body: bytes.NewReader(data)}
	if over == "" {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = &over
	}
	out, err := cloud.Ask(ctx, o.account, "s3", "PutObject", o.client.PutObject, in)
	if err == nil {
		return aws.ToString(out.ETag), nil
	}
	switch cloud.Of(err).Code {
	case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey": // the last: it is gone since
	default:
		return "", err
	}
	latest, err := o.get(ctx)
	if f := cloud.Of(err); f != nil && f.Code == "NoSuchKey" {
		latest, err = Document{}, nil
	}
	if err != nil {
		return "", err
	}
	return "", &Conflict{Address: o.address, Latest: latest}
}
