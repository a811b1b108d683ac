package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Kind is what a failure comes to.
type Kind int

// The kinds of failure. Of Throttled, Unreachable, Unsure and Other nobody knows
// whether the request was carried out.
const (
	Other         Kind = iota // no usable answer
	Denied                    // no policy allows it, or the credentials are not taken
	NotFound                  // there is no such thing
	Refused                   // the request itself is refused for another reason
	Throttled                 // too many requests
	Broken                    // the service is in trouble
	Unreachable               // no answer in time, or no way there
	NoCredentials             // nothing to ask with
)

// Failure is a request that failed.
type Failure struct {
	Kind    Kind
	Service string        // "kms"
	Region  string        // "eu-west-1"
	Action  string        // "Decrypt"
	Code    string        // the service's error code; "" where it did not answer
	Message string        // the service's own words, without the last full stop
	Role    string        // to which it was denied, where the service says it
	Silent  bool          // of Unreachable: nothing answered; false: there is no way there
	Took    time.Duration // until it failed

	why string // of NoCredentials, Unreachable and Other
	err error
}

// Place is service and region: "kms.eu-west-1".
func (f *Failure) Place() string { return strings.TrimSuffix(f.Service+"."+f.Region, ".") }

// Error says in words for people what happened, without a full stop.
func (f *Failure) Error() string {
	switch f.Kind {
	case Denied:
		to := ""
		if f.Role != "" {
			to = " to role " + f.Role
		}
		return fmt.Sprintf("%s denied %s%s (%s)", f.Place(), f.Action, to, f.Code)
	case NotFound, Refused:
		return fmt.Sprintf("%s refused %s: %s (%s)", f.Place(), f.Action, f.Message, f.Code)
	case Throttled:
		return fmt.Sprintf("%s throttles %s (%s)", f.Place(), f.Action, f.Code)
	case Broken:
		return fmt.Sprintf("%s is in trouble: it answered %s with %s", f.Place(), f.Action, f.Code)
	case Unreachable:
		return fmt.Sprintf("%s: %s; NAT or VPC endpoint missing", f.Place(), f.why)
	case NoCredentials:
		return fmt.Sprintf("%s: no credentials: %s", f.Place(), f.why)
	default:
		return fmt.Sprintf("%s gave no usable answer to %s: %s", f.Place(), f.Action, f.why)
	}
}

// Next says what a person can do about it.
func (f *Failure) Next() string {
	allow := f.Service + ":" + f.Action
	switch f.Kind {
	case Denied:
		return "grant " + allow
	case NotFound, Refused:
		return "correct it"
	case Unreachable:
		return "a VPC endpoint for " + f.Service + ", or a way out"
	case NoCredentials:
		return "attach an instance profile that allows " + allow
	default:
		return "nothing"
	}
}

// Why is the reason of NoCredentials, Unreachable and Other without the rest of
// the sentence: "this instance has no role".
func (f *Failure) Why() string { return f.why }

// Unwrap returns the SDK's error.
func (f *Failure) Unwrap() error { return f.err }

// Of returns the Failure in err's chain, or nil.
func Of(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return nil
}

var errNoCredentials = errors.New("no credentials")

// Error codes by what they come to, beside those that the SDK knows for
// throttling (API references of EC2, KMS, Secrets Manager, Systems Manager, S3
// and "Common Errors").
var (
	throttleCodes = []string{"SnapshotCreationPerVolumeRateExceeded"}
	deniedCodes   = []string{
		"AccessDenied", "AccessDeniedException", "AuthFailure", "Blocked", "ExpiredToken", "ExpiredTokenException",
		"IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException", "InvalidToken",
		"MissingAuthenticationToken", "NotAuthorized", "OptInRequired", "RequestExpired", "RequestTimeTooSkewed",
		"SignatureDoesNotMatch", "UnauthorizedOperation", "UnrecognizedClientException",
	}
	notFoundCodes = []string{
		"NoSuchBucket", "NoSuchKey", "NoSuchVersion", "NotFound", "NotFoundException", "ParameterNotFound",
		"ParameterVersionNotFound", "ResourceNotFoundException",
	}
	roleInMessage = regexp.MustCompile(`assumed-role/([^/ ]+)/`)
)

func classify(service, region, action string, took time.Duration, err error) *Failure {
	f := &Failure{Service: service, Region: region, Action: action, Took: took, err: err}
	answer, answered := errors.AsType[smithy.APIError](err)
	if answered {
		f.Code, f.Message = answer.ErrorCode(), strings.TrimSuffix(answer.ErrorMessage(), ".")
	}
	_, throttled := retry.DefaultThrottleErrorCodes[f.Code]
	switch {
	case errors.Is(err, errNoCredentials):
		f.Kind, f.why = NoCredentials, whyNoCredentials(took, err)
	case throttled || slices.Contains(throttleCodes, f.Code):
		f.Kind = Throttled
	case slices.Contains(deniedCodes, f.Code):
		f.Kind = Denied
		if m := roleInMessage.FindStringSubmatch(f.Message); m != nil {
			f.Role = m[1]
		}
	case slices.Contains(notFoundCodes, f.Code):
		f.Kind = NotFound
	case answered && (answer.ErrorFault() == smithy.FaultServer || status(err) >= http.StatusInternalServerError):
		f.Kind = Broken
	case answered:
		f.Kind = Refused
	default:
		f.unanswered(err)
	}
	return f
}

// unanswered tells apart why there is no answer.
func (f *Failure) unanswered(err error) {
	dns, noName := errors.AsType[*net.DNSError](err)
	network, noWay := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), noWay && network.Timeout():
		f.Kind, f.Silent = Unreachable, true
		f.why = fmt.Sprintf("no answer in %.0f s", f.Took.Seconds())
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		f.why = "the connection was cut"
	case noName:
		f.Kind, f.why = Unreachable, "no address for "+dns.Name
	case noWay:
		f.Kind, f.why = Unreachable, root(network).Error()
	default:
		f.why = root(err).Error()
	}
}

func whyNoCredentials(took time.Duration, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("the metadata service did not answer in %.0f s", took.Seconds())
	}
	if status(err) == http.StatusNotFound {
		return "this instance has no role"
	}
	return "the metadata service gives none"
}

// status is the HTTP status of the answer, or 0.
func status(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

// root is the innermost error: those around it name the SDK's parts.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
