package agent

import (
	"context"
	"fmt"
	"io"
	"os"

	"bootswain/internal/cloud"
	"bootswain/launch"
)

// CheckOptions say which document is looked at, and as what.
type CheckOptions struct {
	File     string // "-" is standard input
	Below    string // file of what the document includes; "" is none
	Roles    string // directory of role files; "" is this machine's
	Included bool   // it is what launch data includes, which EC2 does not limit

	AWS    bool   // ask AWS too, with the caller's own credentials
	Region string // "" is that of AWS's own settings
	Zone   string // in which the instance is to be; "" is any
}

func (o CheckOptions) roles() string {
	if o.Roles != "" {
		return o.Roles
	}
	return rolesDir
}

// data reads the document, and what it includes from the file that is given or
// from AWS if that is asked; account is nil where it is not.
func (o CheckOptions) data(ctx context.Context, stdin io.Reader) (data launch.Data, account *cloud.Account, err error) {
	data = launch.Data{Given: true}
	if data.UserData, err = readDocument(o.File, stdin); err != nil {
		return data, nil, err
	}
	if o.AWS {
		if account, err = cloud.Open(ctx, o.Region); err != nil {
			return data, nil, fmt.Errorf("cannot ask AWS: %w", err)
		}
		account = account.In(o.Region)
	}
	where := included(data)
	switch {
	case o.Below != "" && where == "":
		return data, nil, fmt.Errorf("%s includes nothing; what is %s?", o.File, o.Below)
	case o.Below != "":
		data.Included, err = readDocument(o.Below, stdin)
	case o.AWS && where != "":
		if data.Included, err = fetchIncluded(ctx, account, where); err != nil {
			err = apart(where, err)
		}
	}
	return data, account, err
}

func readDocument(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the document: %w", err)
	}
	return b, nil
}
