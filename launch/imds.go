package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go/logging"

	"bootswain/internal/imdsd"
)

// answerTimeout bounds one request as a whole, where ctx allows as much. The
// IMDS answers from the host itself, in milliseconds; what takes longer than
// this will not come.
const answerTimeout = 5 * time.Second

// metadata asks one IMDS. Every request is made once, with a version 2 token.
type metadata struct {
	client *imds.Client
	last   *witness
}

func newMetadata(endpoint string) metadata {
	direct := &http.Transport{ // no proxy: the address is link-local
		MaxIdleConns:    1,
		IdleConnTimeout: answerTimeout,
	}
	last := &witness{transport: &imdsd.Transport{Direct: direct, Socket: imdsd.Socket}}
	return metadata{last: last, client: imds.New(imds.Options{
		Endpoint:          endpoint,
		EnableFallback:    aws.FalseTernary, // an IMDSv1 answer may come from a proxy that was fooled
		ClientEnableState: imds.ClientEnabled,
		Retryer:           aws.NopRetryer{},
		Logger:            logging.Nop{},
		HTTPClient:        &http.Client{Transport: last, CheckRedirect: noRedirect},
	})}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// fetchIMDS reads everything or fails: half of an answer could be taken for
// the whole.
func fetchIMDS(ctx context.Context, endpoint string) (Data, error) {
	m := newMetadata(endpoint)
	d := Data{FetchedAt: time.Now().UTC()}
	userData, given, err := m.get(ctx, "user-data", func(ctx context.Context) (io.ReadCloser, error) {
		out, err := m.client.GetUserData(ctx, nil)
		if err != nil {
			return nil, err
		}
		return out.Content, nil
	})
	if err != nil {
		return Data{}, err
	}
	d.UserData, d.Given = userData, given
	if err := m.identity(ctx, &d); err != nil {
		return Data{}, err
	}
	if d.PublicKeys, err = m.publicKeys(ctx); err != nil {
		return Data{}, err
	}
	return d, nil
}

// identity reads the parts of the instance identity document that bootswain
// uses.
func (m metadata) identity(ctx context.Context, d *Data) error {
	const what = "instance-identity/document"
	text, given, err := m.get(ctx, what, func(ctx context.Context) (io.ReadCloser, error) {
		out, err := m.client.GetDynamicData(ctx, &imds.GetDynamicDataInput{Path: what})
		if err != nil {
			return nil, err
		}
		return out.Content, nil
	})
	if err != nil {
		return err
	}
	var doc struct{ InstanceID, Region, AvailabilityZone, InstanceType string }
	if !given {
		return fmt.Errorf("cannot read launch data: IMDS has no %s", what)
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.InstanceID == "" {
		return fmt.Errorf("cannot read launch data: IMDS gave an %s without an instance id", what)
	}
	d.InstanceID, d.Region, d.Zone, d.InstanceType = doc.InstanceID, doc.Region, doc.AvailabilityZone, doc.InstanceType
	return nil
}

// publicKeys reads the keys of the key pair the instance was launched with. An
// instance without one answers 404.
func (m metadata) publicKeys(ctx context.Context) (keys []string, err error) {
	list, _, err := m.meta(ctx, "public-keys/")
	if err != nil {
		return nil, err
	}
	for entry := range strings.Lines(string(list)) {
		number, _, ok := strings.Cut(strings.TrimSpace(entry), "=") // "0=name"
		if !ok {
			continue
		}
		text, _, err := m.meta(ctx, "public-keys/"+number+"/openssh-key")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" {
				keys = append(keys, line)
			}
		}
	}
	return keys, nil
}

// Ephemeral returns which device names of a Xen instance are instance storage:
// "ephemeral0" by "sdb". There are none where launch data comes from a file, and on
// instances of the Nitro system, whose disks say it themselves (EC2 user guide,
// "instance metadata categories", block-device-mapping).
func Ephemeral(ctx context.Context, src Source) (map[string]string, error) {
	if src.File != "" {
		return nil, nil
	}
	const mapping = "block-device-mapping/"
	m := newMetadata(src.Endpoint)
	list, _, err := m.meta(ctx, mapping)
	if err != nil {
		return nil, err
	}
	stores := map[string]string{}
	for entry := range strings.Lines(string(list)) {
		number := strings.TrimSpace(entry)
		if !ephemeral.MatchString(number) {
			continue
		}
		name, _, err := m.meta(ctx, mapping+number)
		if err != nil {
			return nil, err
		}
		if name := strings.TrimSpace(string(name)); name != "" {
			stores[name] = number
		}
	}
	return stores, nil
}

var ephemeral = regexp.MustCompile(`^ephemeral[0-9]{1,2}$`)

func (m metadata) meta(ctx context.Context, path string) ([]byte, bool, error) {
	return m.get(ctx, "meta-data/"+path, func(ctx context.Context) (io.ReadCloser, error) {
		out, err := m.client.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
		if err != nil {
			return nil, err
		}
		return out.Content, nil
	})
}

// get reads one path. found is false when the IMDS answered 404 to it.
func (m metadata) get(ctx context.Context, what string, ask func(context.Context) (io.ReadCloser, error)) (text []byte, found bool, err error) {
	start := time.Now()
	askCtx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	m.last.forget()
	body, err := ask(askCtx)
	if err == nil {
		text, err = io.ReadAll(body)
		_ = body.Close() // the SDK has read it to its end
	}
	switch {
	case err == nil:
		return text, true, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, false, fmt.Errorf("cannot read launch data: %w", ctx.Err())
	case m.last.forToken: // a 404 here means that whatever answers is not an IMDSv2
		what = "the token"
	case m.last.err == nil && m.last.status == http.StatusNotFound:
		return nil, false, nil
	}
	if m.last.err == nil && m.last.status >= 300 {
		return nil, false, fmt.Errorf("cannot read launch data: %s", whyStatus(m.last.status, what))
	}
	if m.last.err != nil {
		err = m.last.err
	}
	return nil, false, fmt.Errorf("cannot read launch data: %s", whyError(err, what, time.Since(start)))
}

// whyError is one plain sentence on what happened to the request for what.
func whyError(err error, what string, took time.Duration) string {
	timeout, isNet := errors.AsType[net.Error](err)
	tooLong, isTooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case isTooLong:
		return fmt.Sprintf("IMDS gave more than %d bytes for %s", tooLong.Limit, what)
	case isNet && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer from IMDS for %s in %.1f s", what, took.Seconds())
	case errors.Is(err, syscall.ECONNREFUSED):
		return "IMDS refuses connections"
	case errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no route to IMDS; the network is not up"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "IMDS closed the connection in the middle of " + what
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
		return "IMDS closed the connection without an answer for " + what
	}
	return fmt.Sprintf("IMDS gave no usable answer for %s: %s", what, err)
}

func whyStatus(status int, what string) string {
	switch {
	case status == http.StatusForbidden:
		return "IMDS answered 403 to the request for " + what + ": it is switched off for this instance, or out of bounds"
	case status == http.StatusUnauthorized:
		return "IMDS answered 401 to the request for " + what + ": it did not take its own token"
	case status == http.StatusNotFound:
		return "IMDS answered 404 to the request for " + what + ": it is not an IMDSv2"
	case status >= 500:
		return fmt.Sprintf("IMDS answered %d to the request for %s: it is in trouble", status, what)
	}
	return fmt.Sprintf("IMDS answered %d to the request for %s", status, what)
}
