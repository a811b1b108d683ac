package launch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
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
	client    *imds.Client
	endpoint  string
	last      *witness
	transport *imdsd.Transport
}

func newMetadata(src Source) (metadata, error) {
	endpoint, err := src.endpoint()
	if err != nil {
		return metadata{}, err
	}
	direct := &http.Transport{ // no proxy: the address is link-local
		DialContext:     src.dial,
		MaxIdleConns:    1,
		IdleConnTimeout: answerTimeout,
	}
	transport := &imdsd.Transport{Direct: direct, Socket: imdsd.Socket}
	last := &witness{transport: transport}
	return metadata{last: last, transport: transport, endpoint: endpoint, client: imds.New(imds.Options{
		Endpoint:          endpoint,
		EnableFallback:    aws.FalseTernary, // an IMDSv1 answer may come from a proxy that was fooled
		ClientEnableState: imds.ClientEnabled,
		Retryer:           aws.NopRetryer{},
		Logger:            logging.Nop{},
		HTTPClient:        &http.Client{Transport: last, CheckRedirect: noRedirect},
	})}, nil
}

// The addresses of the IMDS, the same in every network.
const (
	endpointIPv4 = "http://169.254.169.254"
	endpointIPv6 = "http://[fd00:ec2::254]"
)

// endpoint is where the IMDS is asked. The variables are those of Amazon's own
// tools, https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-client.html,
// and come before what the image says.
func (s Source) endpoint() (string, error) {
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return "", unread(willNot, "IMDS is not asked: AWS_EC2_METADATA_DISABLED is true")
	}
	if at := cmp.Or(os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"), s.Endpoint); at != "" {
		return at, nil
	}
	ipv6 := s.IPv6
	switch mode := os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"); strings.ToLower(mode) {
	case "":
	case "ipv4":
		ipv6 = false
	case "ipv6":
		ipv6 = true
	default:
		return "", unread(willNot, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is %q, neither IPv4 nor IPv6", mode)
	}
	if ipv6 {
		return endpointIPv6, nil
	}
	return endpointIPv4, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// fetchIMDS reads everything or fails: half of an answer could be taken for
// the whole. A token that is not taken has expired, as it does where a machine
// sleeps, and is replaced once.
func fetchIMDS(ctx context.Context, src Source) (Data, error) {
	d, err := fetchOnce(ctx, src)
	if u, ok := errors.AsType[*Unread](err); ok && u.again {
		d, err = fetchOnce(ctx, src)
	}
	return d, err
}

func fetchOnce(ctx context.Context, src Source) (Data, error) {
	m, err := newMetadata(src)
	if err != nil {
		return Data{}, err
	}
	defer m.transport.CloseIdleConnections()
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
		return unread(willNot, "IMDS has no %s", what)
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.InstanceID == "" {
		return unread(willNot, "IMDS gave an %s without an instance id", what)
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
	if src.File+src.NoCloud != "" {
		return nil, nil
	}
	const mapping = "block-device-mapping/"
	m, err := newMetadata(src)
	if err != nil {
		return nil, err
	}
	defer m.transport.CloseIdleConnections()
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
	took := time.Since(start)
	switch {
	case err == nil && m.last.status == http.StatusOK:
		return text, true, nil
	case err == nil:
		return nil, false, whyStatus(m.last.status, what) // 204 and the like are no words of an IMDS
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, false, &Unread{why: ctx.Err().Error(), cause: ctx.Err()}
	case m.last.forToken: // a 404 here means that whatever answers is not an IMDSv2
		what = "the token"
	case m.last.err == nil && m.last.status == http.StatusNotFound:
		return nil, false, nil
	}
	if m.last.err == nil && m.last.status >= 300 {
		return nil, false, whyStatus(m.last.status, what)
	}
	if m.last.err != nil {
		err = m.last.err
	}
	if m.last.forToken && m.last.connected && errors.Is(askCtx.Err(), context.DeadlineExceeded) && m.answersOthers(ctx) {
		return nil, false, hopLimit()
	}
	return nil, false, whyError(err, what, took)
}

// answersOthers tells whether a request without a token is answered, be it with
// a refusal. What the answer says is not looked at.
func (m metadata) answersOthers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.endpoint+"/latest/meta-data/", nil)
	if err != nil {
		return false
	}
	resp, err := m.last.RoundTrip(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}
