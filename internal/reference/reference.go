// Package reference reads and writes a document that is kept in AWS and named by
// its address: "s3://BUCKET/KEY", "ssm:/NAME" or "secretsmanager:NAME".
//
// It writes only over the version that was read, so that two people who edit a
// document at the same time lose nothing of each other. It knows nothing of what
// the documents mean, and keeps none. Errors of AWS are *cloud.Failure.
package reference

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"bootswain/internal/cloud"
)

// maxSize bounds a document in bytes.
const maxSize = 256 << 10

// Document is what an address held when it was read.
type Document struct {
	Data    []byte
	Version string // S3's ETag, or the number or name of a version; "" where there is no document yet
}

// Conflict is an address that did not hold the version that was to be written
// over.
type Conflict struct {
	Address string
	Latest  Document // what the next attempt has to start from
	lost    bool     // Latest was written over and has to be brought back
}

func (c *Conflict) Error() string {
	return "cannot write " + c.Address + ": somebody else changed it at the same time"
}

// place is one kind of address. get returns a *cloud.Failure of the kind
// NotFound where there is no document. put writes over this version only, ""
// being none, or returns a *Conflict. encryption names the key of KMS, "" is none.
type place interface {
	get(ctx context.Context) (Document, error)
	put(ctx context.Context, data []byte, over string) (version string, err error)
	encryption(ctx context.Context) (key string, err error)
}

var (
	s3Address     = regexp.MustCompile(`^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(\S+)$`)
	ssmAddress    = regexp.MustCompile(`^ssm:((?:arn:[^:/]+:ssm:[^:/]*:[^:/]*:parameter)?/?[A-Za-z0-9_.-][A-Za-z0-9_./-]*)$`)
	secretAddress = regexp.MustCompile(`^secretsmanager:(\S+)$`)
)

func at(a *cloud.Account, address string) (place, error) {
	if m := s3Address.FindStringSubmatch(address); m != nil {
		return newObject(a, address, m[1], m[2]), nil
	}
	if m := ssmAddress.FindStringSubmatch(address); m != nil {
		return newParameter(a, address, m[1]), nil
	}
	if m := secretAddress.FindStringSubmatch(address); m != nil {
		return newSecret(a, address, m[1]), nil
	}
	return nil, fmt.Errorf("%q is no address of a document: s3://BUCKET/KEY, ssm:/NAME or secretsmanager:NAME", address)
}

// Get reads the document at an address.
func Get(ctx context.Context, a *cloud.Account, address string) (Document, error) {
	p, err := at(a, address)
	if err != nil {
		return Document{}, err
	}
	return p.get(ctx)
}

const (
	editAttempts = 8
	editPause    = 100 * time.Millisecond // between attempts, times the number of the attempt
)

// Edit changes the document at an address, or makes it. change gets what is there,
// nil for nothing, and returns what is to be there; it is called again when
// somebody else was faster, so it must be a function of what it gets.
func Edit(ctx context.Context, a *cloud.Account, address string, change func([]byte) ([]byte, error)) error {
	p, err := at(a, address)
	if err != nil {
		return err
	}
	return edit(ctx, p, change)
}

func edit(ctx context.Context, p place, change func([]byte) ([]byte, error)) error {
	have, err := p.get(ctx)
	if f := cloud.Of(err); f != nil && f.Kind == cloud.NotFound && f.Code != "NoSuchBucket" {
		have, err = Document{}, nil
	}
	if err != nil {
		return err
	}
	repairing := false
	for attempt := 1; ; attempt++ {
		data, err := change(have.Data)
		if err != nil {
			return err
		}
		_, err = p.put(ctx, data, have.Version)
		conflict, ok := errors.AsType[*Conflict](err)
		if !ok || attempt == editAttempts {
			return err
		}
		if conflict.lost && repairing {
			// What was lost first is not in what was lost now.
			return fmt.Errorf("%w again and again; compare its last versions, all are kept", err)
		}
		have, repairing = conflict.Latest, conflict.lost
		if repairing {
			continue
		}
		select {
		case <-time.After(time.Duration(attempt) * editPause):
		case <-ctx.Done():
			return err
		}
	}
}
