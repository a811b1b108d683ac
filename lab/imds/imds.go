// Package imds answers as the EC2 Instance Metadata Service, version 2, does:
// a token first, then the instance's metadata, user data and identity
// document. It can be slow, fail, hang up or stay silent on demand.
//
// It never answers a request without a token, as an instance with
// HttpTokens=required. Paths and answers follow
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
package imds

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"bootswain/lab/fault"
)

// Instance is what the service knows of its instance when it starts.
type Instance struct {
	ID         string // "i-0…"
	Region     string
	Zone       string // availability zone
	Type       string
	ImageID    string // "ami-0…"
	AccountID  string
	Hostname   string
	PrivateIP  string
	Launched   time.Time
	UserData   []byte            // nil: none was given, which is answered with 404
	PublicKeys []string          // lines in authorized_keys form
	Devices    map[string]string // block-device-mapping: "ami", "ebs1", … to device names
	Tags       map[string]string
}

// Server answers for one instance. It is an http.Handler.
type Server struct {
	line fault.Line[Fault]

	mu     sync.Mutex
	values map[string]string // path below the version, to the answer
	tokens map[string]time.Time
	log    []Request
}

// Request is one request that reached the service, also when a fault then kept
// it from being answered.
type Request struct {
	Time         time.Time
	Method, Path string
}

// New returns a service for the instance.
func New(i Instance) *Server {
	return &Server{values: i.values(), tokens: map[string]time.Time{}}
}

// Set changes the answer for a path such as "meta-data/spot/instance-action".
func (s *Server) Set(path, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[path] = value
}

// SetRole gives the instance a role and the credentials that come with it.
func (s *Server) SetRole(role, credentials string) {
	s.Set("meta-data/iam/security-credentials/", role)
	s.Set("meta-data/iam/security-credentials/"+role, credentials)
}

// Delete makes a path answer 404.
func (s *Server) Delete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, path)
}

// Requests returns the requests so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.log = append(s.log, Request{time.Now(), r.Method, r.URL.Path})
	s.mu.Unlock()
	w, ok := s.suffer(w, r)
	if !ok {
		return
	}
	w.Header().Set("Server", "EC2ws")
	w.Header().Set("Content-Type", "text/plain")
	switch {
	case r.URL.Path == "/latest/api/token":
		s.token(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		status(w, http.StatusMethodNotAllowed)
	case !s.authorized(r):
		status(w, http.StatusUnauthorized)
	default:
		s.get(w, r.URL.Path)
	}
}

var version = regexp.MustCompile(`^/(latest|\d{4}-\d{2}-\d{2})(/|$)`)

func (s *Server) get(w http.ResponseWriter, path string) {
	if path == "/" {
		fmt.Fprint(w, "2021-03-23\nlatest")
		return
	}
	m := version.FindString(path)
	s.mu.Lock()
	value, ok := s.lookup(strings.TrimPrefix(path, m))
	s.mu.Unlock()
	if m == "" || !ok {
		status(w, http.StatusNotFound)
		return
	}
	fmt.Fprint(w, value)
}

// lookup returns the value at path, or the list of what is below it: names,
// and names with a slash where there is more below.
func (s *Server) lookup(path string) (string, bool) {
	if v, ok := s.values[path]; ok {
		return v, true
	}
	dir := strings.TrimSuffix(path, "/")
	if v, ok := s.values[dir+"/"]; ok {
		return v, true
	}
	if dir != "" {
		dir += "/"
	}
	names := map[string]bool{}
	for p := range s.values {
		rest, ok := strings.CutPrefix(p, dir)
		if !ok || rest == "" {
			continue
		}
		name, more, deeper := strings.Cut(rest, "/")
		if deeper && (more != "" || !names[name]) {
			name += "/"
		}
		names[name] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), "\n"), len(names) > 0
}

func status(w http.ResponseWriter, code int) {
	w.WriteHeader(code)
	fmt.Fprintf(w, "%d - %s", code, http.StatusText(code))
}

// values lays the instance out as paths. A path that ends in a slash is a list
// that differs from the names below it.
func (i Instance) values() map[string]string {
	v := map[string]string{
		"meta-data/ami-id":                             i.ImageID,
		"meta-data/instance-id":                        i.ID,
		"meta-data/instance-type":                      i.Type,
		"meta-data/instance-action":                    "none",
		"meta-data/instance-life-cycle":                "on-demand",
		"meta-data/hostname":                           i.Hostname,
		"meta-data/local-hostname":                     i.Hostname,
		"meta-data/local-ipv4":                         i.PrivateIP,
		"meta-data/placement/availability-zone":        i.Zone,
		"meta-data/placement/region":                   i.Region,
		"meta-data/services/domain":                    "amazonaws.com",
		"meta-data/services/partition":                 "aws",
		"meta-data/autoscaling/target-lifecycle-state": "InService",
		"dynamic/instance-identity/document":           i.document(),
	}
	if i.UserData != nil {
		v["user-data"] = string(i.UserData)
	}
	var keys []string
	for n, line := range i.PublicKeys {
		v[fmt.Sprintf("meta-data/public-keys/%d/openssh-key", n)] = strings.TrimSpace(line) + "\n"
		keys = append(keys, fmt.Sprintf("%d=%s", n, keyName(line, n)))
	}
	if keys != nil {
		v["meta-data/public-keys/"] = strings.Join(keys, "\n")
	}
	for name, device := range i.Devices {
		v["meta-data/block-device-mapping/"+name] = device
	}
	for key, value := range i.Tags {
		v["meta-data/tags/instance/"+key] = value
	}
	return v
}

func keyName(line string, n int) string {
	if fields := strings.Fields(line); len(fields) > 2 {
		return fields[2]
	}
	return fmt.Sprintf("key-%d", n)
}

func (i Instance) document() string {
	b, err := json.MarshalIndent(map[string]any{
		"accountId":        i.AccountID,
		"architecture":     "x86_64",
		"availabilityZone": i.Zone,
		"imageId":          i.ImageID,
		"instanceId":       i.ID,
		"instanceType":     i.Type,
		"kernelId":         nil,
		"pendingTime":      i.Launched.UTC().Format(time.RFC3339),
		"privateIp":        i.PrivateIP,
		"ramdiskId":        nil,
		"region":           i.Region,
		"version":          "2017-09-30",
	}, "", "  ")
	if err != nil {
		panic(err) // strings and nils always marshal
	}
	return string(b)
}
