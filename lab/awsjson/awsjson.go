// Package awsjson is AWS's Key Management Service, Secrets Manager and the
// parameters of Systems Manager, for one account in one region. It speaks their
// wire protocol, AWS JSON 1.1, so that Amazon's command line and SDKs work
// against it, and it can be slow, throttle, deny, be in trouble or stay silent on
// demand.
//
// What it keeps it keeps in memory. It knows callers by their access key and does
// not verify signatures; whoever is known may do all that no fault forbids.
// Requests, answers and error codes follow
// https://docs.aws.amazon.com/kms/latest/APIReference/,
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/ and
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/.
package awsjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"bootswain/lab/fault"
)

// maxRequest bounds a request's body in bytes.
const maxRequest = 1 << 20

const account = "123456789012"

// Server answers for all three services. It is an http.Handler.
type Server struct {
	region string
	who    func(accessKey string) (instance, role string)
	line   fault.Line[Fault]

	mu         sync.Mutex
	keys       map[string]*key    // by id
	aliases    map[string]string  // "alias/orders" to a key's id
	secrets    map[string]*secret // by name
	parameters map[string]*parameter
	log        []Request
}

// Request is one request that reached a service.
type Request struct {
	Time    time.Time
	Service string // "kms"
	Action  string // "Decrypt"
	Role    string // of the caller; "" for an unknown one
	Code    string // error code that it was answered with; "" for success
}

// New returns services without keys and secrets. who knows callers by their
// access key; it returns "" for strangers.
func New(region string, who func(accessKey string) (instance, role string)) *Server {
	return &Server{region: region, who: who, keys: map[string]*key{}, aliases: map[string]string{}, secrets: map[string]*secret{}, parameters: map[string]*parameter{}}
}

// Requests returns the requests so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Fault is what is wrong with the services. The zero Fault is a sound one.
type Fault struct {
	fault.Common
	Throttle []string // actions that are answered with ThrottlingException; "*" for all
	Denied   []string // actions that no policy allows; "*" for all
	Broken   []string // actions that are answered with an internal error; "*" for all
}

// SetFault changes what is wrong, also for requests that wait.
func (s *Server) SetFault(f Fault) { s.line.Set(f) }

// action answers one kind of request; s.mu is held.
type action struct {
	service string
	do      func(s *Server, body []byte) (any, error)
}

// of makes an action of a method whose request is an In.
func of[In any](service string, do func(*Server, In) (any, error)) action {
	return action{service, func(s *Server, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, failure("SerializationException", "the request cannot be read")
		}
		return do(s, in)
	}}
}

// actions are known by the last part of X-Amz-Target.
var actions = map[string]action{
	"Decrypt":                         of("kms", (*Server).decrypt),
	"DescribeKey":                     of("kms", (*Server).describeKey),
	"GenerateDataKeyWithoutPlaintext": of("kms", (*Server).generateDataKey),
	"CreateSecret":                    of("secretsmanager", (*Server).createSecret),
	"DescribeSecret":                  of("secretsmanager", (*Server).describeSecret),
	"DeleteSecret":                    of("secretsmanager", (*Server).deleteSecret),
	"GetSecretValue":                  of("secretsmanager", (*Server).getSecretValue),
	"DeleteParameter":                 of("ssm", (*Server).deleteParameter),
	"DescribeParameters":              of("ssm", (*Server).describeParameters),
	"GetParameter":                    of("ssm", (*Server).getParameter),
	"PutParameter":                    of("ssm", (*Server).putParameter),
}

// scope is what a signature says of the caller: access key and service.
var scope = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request,`)

// Has tells whether a service is one of these, by the name in its signatures.
func Has(service string) bool {
	return service == "kms" || service == "secretsmanager" || service == "ssm"
}

// Service returns the service that a signed request is for, "kms", or "".
func Service(r *http.Request) string {
	m := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return ""
	}
	return m[3]
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return
	}
	f, through := s.line.Pass(r, func(f Fault) fault.Common { return f.Common })
	if !through {
		return
	}
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	asked := Request{Time: time.Now(), Service: Service(r), Action: name}
	var instance string
	if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		instance, asked.Role = s.who(m[1])
	}
	answer, err := s.answer(asked, instance, f, body)
	if e, ok := errors.AsType[*apiError](err); ok {
		asked.Code = e.Code
	}
	s.mu.Lock()
	s.log = append(s.log, asked)
	s.mu.Unlock()
	write(w, answer, err)
}

func (s *Server) answer(asked Request, instance string, f Fault, body []byte) (any, error) {
	hits := func(list []string) bool { return slices.Contains(list, asked.Action) || slices.Contains(list, "*") }
	do, known := actions[asked.Action]
	switch {
	case instance == "":
		return nil, failure("UnrecognizedClientException", "The security token included in the request is invalid.")
	case !known || do.service != asked.Service:
		return nil, failure("UnknownOperationException", "")
	case hits(f.Throttle):
		return nil, failure("ThrottlingException", "Rate exceeded")
	case hits(f.Broken):
		return nil, &apiError{status: http.StatusInternalServerError, Code: "InternalFailure", Message: "try again"}
	case hits(f.Denied):
		return nil, failure("AccessDeniedException", "User: arn:aws:sts::%s:assumed-role/%s/%s is not authorized to perform: %s:%s because no identity-based policy allows the %[4]s:%[5]s action",
			account, asked.Role, instance, asked.Service, asked.Action)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return do.do(s, body)
}

// apiError is an error as the services tell it.
type apiError struct {
	status  int
	Code    string `json:"__type"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func failure(code, format string, args ...any) error {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

func write(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if e, ok := errors.AsType[*apiError](err); ok {
		w.WriteHeader(e.status)
		answer = e
	}
	_ = json.NewEncoder(w).Encode(answer) // the caller has hung up
}

func (s *Server) arn(service, rest string) string {
	return "arn:aws:" + service + ":" + s.region + ":" + account + ":" + rest
}
