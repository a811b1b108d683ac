// Package launch knows where launch data comes from and how it is wrapped. It
// fetches the bytes and the instance's identity from the instance metadata
// service (IMDS, version 2 only), from a file or from a NoCloud seed, and takes the bootswain
// document out of its carrier. It knows nothing of the document's meaning,
// and it never logs: launch data may hold secrets.
//
// "None was given" is Data.Given being false; an error always means "could not
// be read", which says nothing about what was given.
package launch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"bootswain/internal/atomicfile"
)

// Source says where launch data comes from. The zero Source is the instance
// metadata service at its usual address.
type Source struct {
	File     string // path of a file with the user-data
	NoCloud  string // a NoCloud seed: a directory, a disk's path or a disk's label. Without both the IMDS is asked
	Endpoint string // IMDS base URL where AWS_EC2_METADATA_SERVICE_ENDPOINT does not say it; "" is the usual address
	IPv6     bool   // the usual address is that of IPv6

	dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: as ever
}

// String names the source as people know it.
func (s Source) String() string {
	if s.File+s.NoCloud != "" {
		return cmp.Or(s.File, s.NoCloud)
	}
	return "instance metadata service"
}

// Data is what the instance was launched with.
type Data struct {
	UserData     []byte    `json:"user_data,omitempty"` // as given, still in its carrier
	Given        bool      `json:"given"`               // false: the instance was launched without user-data
	InstanceID   string    `json:"instance_id,omitempty"`
	Region       string    `json:"region,omitempty"`
	Zone         string    `json:"zone,omitempty"`
	InstanceType string    `json:"instance_type,omitempty"`
	PublicKeys   []string  `json:"public_keys,omitempty"` // authorized_keys lines of the EC2 key pair
	FetchedAt    time.Time `json:"fetched_at"`
	Included     []byte    `json:"included,omitempty"` // what the document includes, as it was read; nil: not yet
}

// maxUserData bounds what is read, in bytes. EC2 gives at most 16 KiB.
const maxUserData = 1 << 20

// Fetch reads the launch data once, bounded by ctx and, when the IMDS is
// silent, by a few seconds a request. It does not repeat what fails; when to
// try again is the caller's decision.
func Fetch(ctx context.Context, src Source) (Data, error) {
	switch {
	case src.NoCloud != "":
		return machine.seed(ctx, src.NoCloud)
	case src.File == "":
		return fetchIMDS(ctx, src)
	}
	info, err := os.Stat(src.File)
	if err != nil {
		return Data{}, fmt.Errorf("cannot read launch data: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxUserData {
		return Data{}, fmt.Errorf("cannot read launch data: %s is not a file of at most %d bytes", src.File, maxUserData)
	}
	text, err := os.ReadFile(src.File)
	if err != nil {
		return Data{}, fmt.Errorf("cannot read launch data: %w", err)
	}
	return Data{UserData: text, Given: true, FetchedAt: time.Now().UTC()}, nil
}

// Save keeps the data at path for Load, readable by its owner only.
func (d Data) Save(path string) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("cannot keep launch data: %w", err)
	}
	return atomicfile.Write(path, append(text, '\n'), 0o600)
}

// Load returns what Save kept. If there is nothing, the error wraps
// fs.ErrNotExist.
func Load(path string) (Data, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Data{}, fmt.Errorf("cannot read kept launch data: %w", err)
	}
	var d Data
	if err := json.Unmarshal(text, &d); err != nil {
		return Data{}, fmt.Errorf("cannot read kept launch data: %s does not hold it: %w", path, err)
	}
	return d, nil
}
