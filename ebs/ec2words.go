package ebs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"bootswain/internal/situation"
)

// Causes of situations, for errors.Is.
var (
	// ErrNoRole is an instance that may ask EC2 nothing, because it was given
	// no role, or its metadata service gives no credentials.
	ErrNoRole = errors.New("this instance has no role to ask EC2 with")
	// ErrSoon is a state that passes within seconds; EC2 tells nobody when.
	ErrSoon = errors.New("EC2 is at it")
	// ErrUnsure is a request of which nobody knows whether it was carried out;
	// the next may well be answered.
	ErrUnsure = errors.New("EC2 did not say")
	// ErrUnanswered is a question that EC2 did not answer, for whatever reason.
	ErrUnanswered = errors.New("EC2 gave no answer")
)

const againByItself = "nothing; asked again by itself"

// roleCredentials marks the failures of the metadata service as such.
type roleCredentials struct{ *ec2rolecreds.Provider }

// Retrieve implements aws.CredentialsProvider.
func (r roleCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := r.Provider.Retrieve(ctx)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrNoRole, err)
	}
	return c, nil
}

// EC2's error codes, by what they come to (EC2 API reference, "Error codes").
var (
	throttleCodes = []string{"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "SnapshotCreationPerVolumeRateExceeded"}
	deniedCodes   = []string{"UnauthorizedOperation", "AuthFailure", "AccessDenied", "Blocked", "OptInRequired", "ExpiredToken", "RequestExpired", "InvalidClientTokenId"}
	roleInMessage = regexp.MustCompile(`assumed-role/([^/ ]+)/`)
)

// explain says what became of a request to EC2.
func explain(action string, took time.Duration, err error) *situation.Situation {
	refused := fmt.Errorf("%w: %w", ErrUnanswered, err)
	s := &situation.Situation{Word: situation.Waiting, Cause: fmt.Errorf("%w: %w", ErrUnsure, refused), Next: againByItself}
	var dns *net.DNSError
	var network *net.OpError
	answer, answered := errors.AsType[smithy.APIError](err)
	switch {
	case errors.Is(err, ErrNoRole):
		s.Cause = refused
		s.Text = "EC2 cannot be asked: " + whyNoRole(err) + "."
		s.Next = "attach an instance profile that allows ec2:" + action
	case answered && slices.Contains(throttleCodes, answer.ErrorCode()):
		s.Text = fmt.Sprintf("EC2 throttles %s (%s).", action, answer.ErrorCode())
	case answered && slices.Contains(deniedCodes, answer.ErrorCode()):
		s.Cause = refused
		s.Text = fmt.Sprintf("EC2 denied %s%s (%s).", action, toRole(answer.ErrorMessage()), answer.ErrorCode())
		s.Next = "grant ec2:" + action + "; asked again by itself"
	case answered && answer.ErrorFault() == smithy.FaultServer:
		s.Text = fmt.Sprintf("EC2 is in trouble: it answered %s with %s.", action, answer.ErrorCode())
	case answered:
		s.Word, s.Cause = situation.Failed, refused
		s.Text = fmt.Sprintf("EC2 refused %s: %s (%s).", action, strings.TrimSuffix(answer.ErrorMessage(), "."), answer.ErrorCode())
		s.Next = "correct it; asked again by itself"
	case errors.Is(err, context.DeadlineExceeded):
		s.Text = fmt.Sprintf("EC2 did not answer %s in %.0f s.", action, took.Seconds())
		s.Next = "nothing if EC2 is slow; if it cannot be reached from here: a VPC endpoint for ec2, or a way out"
	case errors.As(err, &dns), errors.As(err, &network):
		s.Text = fmt.Sprintf("EC2 cannot be reached for %s.", action)
		s.Next = "a VPC endpoint for ec2, or a way out; asked again by itself"
	default:
		s.Text = fmt.Sprintf("EC2 gave no usable answer to %s: %v.", action, root(err))
	}
	return s
}

func whyNoRole(err error) string {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.HTTPStatusCode() == http.StatusNotFound {
		return "this instance has no role"
	}
	return "the metadata service gives no credentials"
}

// toRole names the role that was denied something, where EC2 says it.
func toRole(message string) string {
	m := roleInMessage.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	return " to role " + m[1]
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

// code returns EC2's error code in err's chain, or "".
func code(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	return ""
}

// waiting is a state of affairs that passes, or that a person ends.
func waiting(next, format string, args ...any) *situation.Situation {
	return &situation.Situation{Word: situation.Waiting, Text: fmt.Sprintf(format, args...) + ".", Next: next}
}

// soon is one that passes within seconds.
func soon(format string, args ...any) *situation.Situation {
	s := waiting("nothing; goes on by itself", format, args...)
	s.Cause = ErrSoon
	return s
}

func refused(next, format string, args ...any) *situation.Situation {
	s := waiting(next, format, args...)
	s.Word = situation.Refused
	return s
}
