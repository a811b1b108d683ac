package launch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const identityDocument = `{"instanceId": "i-0123456789abcdef0", "region": "eu-central-1", "availabilityZone": "eu-central-1a", "instanceType": "m7i.large"}`

// service answers as an IMDSv2 does, from a map of paths below /latest.
type service struct {
	paths    map[string]string
	override func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	requests []string
}

func newService() *service {
	return &service{paths: map[string]string{
		"/latest/user-data":                           "#bootswain\nversion: 1\n",
		"/latest/dynamic/instance-identity/document":  identityDocument,
		"/latest/meta-data/public-keys/":              "0=laptop\n1=spare",
		"/latest/meta-data/public-keys/0/openssh-key": "ssh-ed25519 AAAA laptop\n",
		"/latest/meta-data/public-keys/1/openssh-key": "ssh-ed25519 BBBB spare",
	}}
}

// say answers; whether the client still listens is for the client to tell.
func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	if s.override != nil && s.override(w, r) {
		return
	}
	if r.URL.Path == "/latest/api/token" {
		if r.Method != http.MethodPut || r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") == "" {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "300")
		say(w, "TOKEN")
		return
	}
	text, ok := s.paths[r.URL.Path]
	switch {
	case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "TOKEN":
		http.Error(w, "no token", http.StatusUnauthorized)
	case !ok:
		http.NotFound(w, r)
	default:
		say(w, text)
	}
}

func TestFetch(t *testing.T) {
	s := newService()
	server := httptest.NewServer(s)
	defer server.Close()
	want := Data{
		UserData: []byte("#bootswain\nversion: 1\n"), Given: true, InstanceID: "i-0123456789abcdef0", Region: "eu-central-1", Zone: "eu-central-1a",
		InstanceType: "m7i.large", PublicKeys: []string{"ssh-ed25519 AAAA laptop", "ssh-ed25519 BBBB spare"},
	}
	check := func(name string, src Source) {
		t.Helper()
		d, err := Fetch(t.Context(), src)
		if d.FetchedAt.IsZero() {
			t.Errorf("%s: no time of fetching", name)
		}
		if d.FetchedAt = (time.Time{}); err != nil || !reflect.DeepEqual(d, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, d, err, want)
		}
	}
	check("whole", Source{Endpoint: server.URL})
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)

	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	check("by environment", Source{})

	delete(s.paths, "/latest/meta-data/public-keys/")
	want.PublicKeys = nil
	check("no key pair", Source{Endpoint: server.URL})
	delete(s.paths, "/latest/user-data")
	want.UserData, want.Given = nil, false
	check("no user-data", Source{Endpoint: server.URL})
	s.paths["/latest/user-data"] = ""
	want.UserData, want.Given = []byte{}, true
	check("empty user-data", Source{Endpoint: server.URL})
}

// TestFaults has one way each in which an IMDS fails. Not one may be taken for
// "no user-data was given", and the log stays empty.
func TestFaults(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	status := func(path string, code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == path {
				w.WriteHeader(code)
			}
			return r.URL.Path == path
		}
	}
	conn := func(path, answer string, closeAfter bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			if closeAfter {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					panic(err)
				}
				say(c, answer)
				_ = c.Close()
				return true
			}
			<-r.Context().Done()
			return true
		}
	}
	const token, userData, identity, keys = "/latest/api/token", "/latest/user-data", "/latest/dynamic/instance-identity/document", "/latest/meta-data/public-keys/"
	tests := []struct {
		name     string
		override func(http.ResponseWriter, *http.Request) bool
		want     string
	}{
		{"token 401", status(token, 401), "IMDS answered 401 to the request for the token: it did not take its own token"},
		{"token 403", status(token, 403), "IMDS answered 403 to the request for the token: it is switched off for this instance, or out of bounds"},
		{"token 404", status(token, 404), "IMDS answered 404 to the request for the token: it is not an IMDSv2"},
		{"token 400", status(token, 400), "IMDS answered 400 to the request for the token"},
		{"token 503", status(token, 503), "IMDS answered 503 to the request for the token: it is in trouble"},
		{"token silent", conn(token, "", false), "no answer from IMDS for the token in 0."},
		{"user-data 401", status(userData, 401), "IMDS answered 401 to the request for user-data: it did not take its own token"},
		{"user-data 403", status(userData, 403), "IMDS answered 403 to the request for user-data: it is switched off for this instance, or out of bounds"},
		{"user-data 500", status(userData, 500), "IMDS answered 500 to the request for user-data: it is in trouble"},
		{"user-data 204", status(userData, 204), "IMDS answered 204 to the request for user-data"},
		{"user-data 302", status(userData, 302), "IMDS answered 302 to the request for user-data"},
		{"user-data silent", conn(userData, "", false), "no answer from IMDS for user-data in 0."},
		{"user-data cut", conn(userData, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n#bootswain\n", true), "IMDS closed the connection in the middle of user-data"},
		{"user-data closed", conn(userData, "", true), "IMDS closed the connection without an answer for user-data"},
		{"user-data no http", conn(userData, "hello\r\n\r\n", true), "IMDS gave no usable answer for user-data: "},
		{"user-data endless", func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == userData {
				say(w, strings.Repeat("#", maxUserData+1))
			}
			return r.URL.Path == userData
		}, "IMDS gave more than 1048576 bytes for user-data"},
		{"identity 404", status(identity, 404), "IMDS has no instance-identity/document"},
		{"identity empty", func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == identity {
				say(w, "{}")
			}
			return r.URL.Path == identity
		}, "IMDS gave an instance-identity/document without an instance id"},
		{"keys 500", status(keys, 500), "IMDS answered 500 to the request for meta-data/public-keys/: it is in trouble"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService()
			s.override = tt.override
			server := httptest.NewServer(s)
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			d, err := Fetch(ctx, Source{Endpoint: server.URL})
			if want := "cannot read launch data: " + tt.want; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			}
			if !reflect.DeepEqual(d, Data{}) {
				t.Errorf("data with an error: %+v", d)
			}
			if n := len(s.requests); n > 7 {
				t.Errorf("%d requests; nothing is to be repeated: %v", n, s.requests)
			}
		})
	}
	if logged.Len() > 0 {
		t.Errorf("logged: %s", &logged)
	}
}

func TestFetchNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = Fetch(t.Context(), Source{Endpoint: "http://" + l.Addr().String()})
	if want := "cannot read launch data: IMDS refuses connections"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFetchCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Fetch(ctx, Source{Endpoint: "http://127.0.0.1:1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "user-data")
	if _, err := Fetch(t.Context(), Source{File: path}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v, want fs.ErrNotExist", err)
	}
	if err := os.WriteFile(path, []byte("#bootswain\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := Fetch(t.Context(), Source{File: path}); err != nil || !d.Given || string(d.UserData) != "#bootswain\n" {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := Fetch(t.Context(), Source{File: dir}); err == nil || !strings.Contains(err.Error(), "is not a file of at most") {
		t.Errorf("directory: got %v", err)
	}
}

func TestSaveLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "launch.json")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing kept: got %v, want fs.ErrNotExist", err)
	}
	for _, d := range []Data{
		{UserData: []byte("\x1f\x8b\x00"), Given: true, InstanceID: "i-1", PublicKeys: []string{"k"}, FetchedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)},
		{InstanceID: "i-1", FetchedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)},
	} {
		if err := d.Save(path); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("got %+v, %v, want %+v", got, err, d)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "does not hold it") {
		t.Errorf("damaged: got %v", err)
	}
}

func TestEphemeral(t *testing.T) {
	s := newService()
	server := httptest.NewServer(s)
	defer server.Close()
	ask := func() (map[string]string, error) { return Ephemeral(t.Context(), Source{Endpoint: server.URL}) }
	if got, err := ask(); len(got) != 0 || err != nil {
		t.Errorf("without a mapping: %v, %v", got, err)
	}
	const mapping = "/latest/meta-data/block-device-mapping/"
	s.paths[mapping] = "ami\nebs1\nephemeral0\nephemeral1\nroot\nephemeral../../user-data"
	s.paths[mapping+"ephemeral0"], s.paths[mapping+"ephemeral1"] = "sdb", "/dev/sdc\n"
	if got, err := ask(); err != nil || !reflect.DeepEqual(got, map[string]string{"sdb": "ephemeral0", "/dev/sdc": "ephemeral1"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := Ephemeral(t.Context(), Source{File: "/etc/bootswain/launch.yaml"}); len(got) != 0 || err != nil {
		t.Errorf("from a file: %v, %v", got, err)
	}
	server.Close()
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "IMDS refuses connections") {
		t.Errorf("nobody listens: %v", err)
	}
}
