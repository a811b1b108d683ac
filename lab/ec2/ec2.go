// Package ec2 is EC2's API for a handful of instances, volumes and snapshots.
// It speaks EC2's own wire protocol, so that Amazon's command line and SDKs
// work against it, and it can be slow, throttle, deny or stay silent on demand.
//
// It keeps what EC2 keeps; what really attaches a volume is behind Hardware. It
// knows callers by their access key and does not verify signatures. Requests
// are in the query protocol, answers in XML, both of version 2016-11-15:
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
// Sizes are GiB, as EC2 counts them.
package ec2

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"bootswain/lab/fault"
)

const apiVersion = "2016-11-15"

// maxRequest bounds a request's body in bytes.
const maxRequest = 1 << 20

// Hardware is what the API's answers are about. Its methods return when the
// work is done; meanwhile EC2 says "attaching", "detaching" or "creating".
type Hardware interface {
	Attach(ctx context.Context, volume, instance, device string) error
	Detach(ctx context.Context, volume, instance string) error
	// Create makes a volume; snapshot is "" for a blank one.
	Create(ctx context.Context, volume, snapshot string, gib int) error
}

// Server answers for one account in one region. It is an http.Handler.
type Server struct {
	hardware Hardware
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	working  sync.WaitGroup
	line     fault.Line[Fault]

	mu        sync.Mutex
	instances map[string]*Instance
	volumes   map[string]*Volume
	snapshots map[string]*Snapshot
	keys      map[string]caller // by access key
	made      map[string]creation
	log       []Request
}

// Request is one request that reached the API.
type Request struct {
	Time   time.Time
	Action string
	Caller string // instance id; "" for an unknown one
	Code   string // error code that it was answered with; "" for success
}

// New returns an API without volumes. Without hardware it only keeps the books:
// a volume is then seen once as "attaching", "detaching" or "creating", and has
// passed on when it is seen again.
func New(h Hardware) *Server {
	ctx, stop := context.WithCancel(context.Background())
	return &Server{
		hardware: h, ctx: ctx, stop: stop,
		instances: map[string]*Instance{}, volumes: map[string]*Volume{}, snapshots: map[string]*Snapshot{},
		keys: map[string]caller{}, made: map[string]creation{},
	}
}

// Close ends what is under way, and waits for it.
func (s *Server) Close() {
	s.stop()
	s.Wait()
}

// Wait returns when the hardware has done what it was asked, and the books say so.
func (s *Server) Wait() { s.working.Wait() }

// Requests returns the requests so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// action answers one kind of request; s.mu is held.
type action func(s *Server, q query) (any, error)

var actions = map[string]action{
	"AttachVolume":      (*Server).attachVolume,
	"CreateTags":        (*Server).createTags,
	"CreateVolume":      (*Server).createVolume,
	"DescribeInstances": (*Server).describeInstances,
	"DescribeSnapshots": (*Server).describeSnapshots,
	"DescribeVolumes":   (*Server).describeVolumes,
	"DetachVolume":      (*Server).detachVolume,
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return
	}
	form, err := url.ParseQuery(string(body))
	q, who := query(form), s.caller(r)
	name := q.get("Action")
	var answer any
	if err != nil {
		err = failure(http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error.")
	} else if err = s.suffer(r, name, who); err == nil {
		answer, err = s.answer(name, q, who)
	}
	if errors.Is(err, errSilent) {
		return
	}
	s.note(name, who, err)
	write(w, name, answer, err)
}

func (s *Server) answer(name string, q query, who caller) (any, error) {
	do, known := actions[name]
	switch {
	case who.instance == "":
		return nil, failure(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case !known || q.get("Version") != apiVersion:
		return nil, failure(http.StatusBadRequest, "InvalidAction", fmt.Sprintf("The action %s is not valid for this web service.", name))
	}
	if q.get("DryRun") == "true" {
		return nil, failure(http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return do(s, q)
}

func (s *Server) note(name string, who caller, err error) {
	r := Request{Time: time.Now(), Action: name, Caller: who.instance}
	if e, ok := errors.AsType[*apiError](err); ok {
		r.Code = e.Code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, r)
}

// apiError is an error as EC2 tells it.
type apiError struct {
	status  int
	Code    string `xml:"Errors>Error>Code"`
	Message string `xml:"Errors>Error>Message"`
	Request string `xml:"RequestID"`
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func failure(status int, code, message string) error {
	return &apiError{status: status, Code: code, Message: message, Request: rand.Text()}
}

// invalid is an error of the caller's.
func invalid(code, format string, args ...any) error {
	return failure(http.StatusBadRequest, code, fmt.Sprintf(format, args...))
}

func write(w http.ResponseWriter, name string, answer any, err error) {
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.Header().Set("Server", "AmazonEC2")
	root := xml.StartElement{Name: xml.Name{Local: "Response"}}
	status := http.StatusOK
	if e, ok := errors.AsType[*apiError](err); ok {
		answer, status = e, e.status
	} else {
		root.Name.Local = name + "Response"
		root.Attr = []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: "http://ec2.amazonaws.com/doc/" + apiVersion + "/"}}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, xml.Header)
	_ = xml.NewEncoder(w).EncodeElement(answer, root) // the caller has hung up
}

// Who returns the instance and the role that an access key was given to, "" for
// one that is not known.
func (s *Server) Who(accessKey string) (instance, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.keys[accessKey]
	return c.instance, c.role
}

// caller is who asks: an instance, by its role.
type caller struct{ instance, role string }

var credential = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/[0-9]{8}/[a-z0-9-]+/ec2/aws4_request,`)

func (s *Server) caller(r *http.Request) caller {
	m := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return caller{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[m[1]]
}
