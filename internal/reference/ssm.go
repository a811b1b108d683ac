package reference

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"bootswain/internal/cloud"
)

// parameter is one in Systems Manager's Parameter Store. Its writes know no
// condition, but count versions: whoever gets another number than the next one
// has written over somebody else's, and what that one held can still be read.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
type parameter struct {
	account *cloud.Account
	client  parameters
	address string
	name    string
}

// parameters is what the Parameter Store is asked for; *ssm.Client is one.
type parameters interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	DescribeParameters(context.Context, *ssm.DescribeParametersInput, ...func(*ssm.Options)) (*ssm.DescribeParametersOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

func newParameter(a *cloud.Account, address, name string) parameter {
	return parameter{a, ssm.NewFromConfig(a.Config), address, name}
}

func (p parameter) get(ctx context.Context) (Document, error) { return p.read(ctx, p.name) }

// read reads a parameter, or one version of it by "NAME:VERSION".
func (p parameter) read(ctx context.Context, selector string) (Document, error) {
	in := &ssm.GetParameterInput{Name: &selector, WithDecryption: aws.Bool(true)}
	out, err := cloud.Ask(ctx, p.account, "ssm", "GetParameter", p.client.GetParameter, in)
	if err != nil {
		return Document{}, err
	}
	if out.Parameter == nil || out.Parameter.Value == nil {
		return Document{}, fmt.Errorf("%s: ssm answered without a value", p.address)
	}
	return Document{Data: []byte(*out.Parameter.Value), Version: strconv.FormatInt(out.Parameter.Version, 10)}, nil
}

func (p parameter) put(ctx context.Context, data []byte, over string) (string, error) {
	in := &ssm.PutParameterInput{Name: &p.name, Value: aws.String(string(data))}
	if over == "" {
		in.Type = types.ParameterTypeString
	} else {
		// Between this look and the write there is little time; what slips in
		// between is found by its number.
		latest, err := p.get(ctx)
		if err != nil {
			return "", err
		}
		if latest.Version != over {
			return "", &Conflict{Address: p.address, Latest: latest}
		}
		in.Overwrite = aws.Bool(true) // keeps the type
	}
	out, err := cloud.Ask(ctx, p.account, "ssm", "PutParameter", p.client.PutParameter, in)
	if f := cloud.Of(err); f != nil && f.Code == "ParameterAlreadyExists" {
		latest, err := p.get(ctx)
		if err != nil {
			return "", err
		}
		return "", &Conflict{Address: p.address, Latest: latest}
	}
	if err != nil {
		return "", err
	}
	version := strconv.FormatInt(out.Version, 10)
	if before, err := strconv.ParseInt(over, 10, 64); over == "" || err == nil && out.Version == before+1 {
		return version, nil
	}
	lost, err := p.read(ctx, fmt.Sprintf("%s:%d", p.name, out.Version-1))
	if err != nil {
		return "", err
	}
	return "", &Conflict{Address: p.address, Latest: Document{Data: lost.Data, Version: version}, lost: true}
}
