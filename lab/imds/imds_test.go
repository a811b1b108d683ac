package imds

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

func example() Instance {
	return Instance{
		ID: "i-0abc", Region: "eu-central-1", Zone: "eu-central-1a", Type: "lab.small", ImageID: "ami-0abc",
		Hostname: "ip-169-254-0-15.eu-central-1.compute.internal", PrivateIP: "169.254.0.15",
		UserData:   []byte("#bootswain\n"),
		PublicKeys: []string{"ssh-ed25519 AAAA laptop"},
		Devices:    map[string]string{"ami": "/dev/xvda", "ebs1": "sdf"},
		Tags:       map[string]string{"Name": "orders-db", "set": "orders"},
	}
}

func start(t *testing.T, i Instance) (*Server, *httptest.Server) {
	s := New(i)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, web
}

// ask makes one request with a token that it fetches first.
func ask(t *testing.T, web *httptest.Server, path string) (int, string) {
	t.Helper()
	_, token := send(t, web, "PUT", "/latest/api/token", map[string]string{ttlHeader: "60"})
	return send(t, web, "GET", path, map[string]string{tokenHeader: token})
}

func send(t *testing.T, web *httptest.Server, method, path string, header map[string]string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, web.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	a, err := web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(body)
}

func TestAnswers(t *testing.T) {
	_, web := start(t, example())
	for _, tc := range []struct{ path, want string }{
		{"/", "2021-03-23\nlatest"},
		{"/latest/", "dynamic/\nmeta-data/\nuser-data"},
		{"/latest/user-data", "#bootswain\n"},
		{"/2021-03-23/meta-data/instance-id", "i-0abc"},
		{"/latest/meta-data/placement/", "availability-zone\nregion"},
		{"/latest/meta-data/placement", "availability-zone\nregion"},
		{"/latest/meta-data/public-keys/", "0=laptop"},
		{"/latest/meta-data/public-keys/0/", "openssh-key"},
		{"/latest/meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA laptop\n"},
		{"/latest/meta-data/block-device-mapping/", "ami\nebs1"},
		{"/latest/meta-data/block-device-mapping/ebs1", "sdf"},
		{"/latest/meta-data/tags/instance/", "Name\nset"},
		{"/latest/meta-data/tags/instance/Name", "orders-db"},
	} {
		if code, body := ask(t, web, tc.path); code != 200 || body != tc.want {
			t.Errorf("%s: %d %q, not %q", tc.path, code, body, tc.want)
		}
	}
	_, list := ask(t, web, "/latest/meta-data/")
	for _, name := range []string{"public-keys/", "instance-id", "tags/"} {
		if strings.Count("\n"+list+"\n", "\n"+name+"\n") != 1 {
			t.Errorf("meta-data/ does not list %s once:\n%s", name, list)
		}
	}
}

func TestNotFound(t *testing.T) {
	_, web := start(t, Instance{ID: "i-0abc"})
	for _, path := range []string{
		"/latest/user-data", "/latest/meta-data/public-keys/", "/latest/meta-data/tags/instance/Name",
		"/latest/meta-data/spot/instance-action", "/meta-data/instance-id", "/latest/nothing",
	} {
		if code, body := ask(t, web, path); code != 404 {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
}

func TestTokens(t *testing.T) {
	_, web := start(t, example())
	for _, tc := range []struct {
		name, method, path string
		header             map[string]string
		code               int
	}{
		{"no TTL", "PUT", "/latest/api/token", nil, 400},
		{"TTL 0", "PUT", "/latest/api/token", map[string]string{ttlHeader: "0"}, 400},
		{"TTL too long", "PUT", "/latest/api/token", map[string]string{ttlHeader: "21601"}, 400},
		{"through a proxy", "PUT", "/latest/api/token", map[string]string{ttlHeader: "60", "X-Forwarded-For": "10.0.0.1"}, 403},
		{"GET", "GET", "/latest/api/token", map[string]string{ttlHeader: "60"}, 405},
		{"none", "GET", "/latest/user-data", nil, 401},
		{"invented", "GET", "/latest/user-data", map[string]string{tokenHeader: "x"}, 401},
		{"write", "POST", "/latest/user-data", nil, 405},
	} {
		if code, _ := send(t, web, tc.method, tc.path, tc.header); code != tc.code {
			t.Errorf("%s: %d, not %d", tc.name, code, tc.code)
		}
	}
}

func TestTokenExpires(t *testing.T) {
	s, web := start(t, example())
	_, token := send(t, web, "PUT", "/latest/api/token", map[string]string{ttlHeader: "60"})
	s.mu.Lock()
	s.tokens[token] = time.Now().Add(-time.Second)
	s.mu.Unlock()
	if code, _ := send(t, web, "GET", "/latest/user-data", map[string]string{tokenHeader: token}); code != 401 {
		t.Errorf("expired token: %d", code)
	}
}

func TestSetAndDelete(t *testing.T) {
	s, web := start(t, example())
	s.Set("meta-data/spot/instance-action", `{"action":"stop"}`)
	s.Delete("user-data")
	if code, body := ask(t, web, "/latest/meta-data/spot/instance-action"); code != 200 || body != `{"action":"stop"}` {
		t.Errorf("%d %q", code, body)
	}
	if code, _ := ask(t, web, "/latest/user-data"); code != 404 {
		t.Errorf("deleted user-data: %d", code)
	}
}

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault Fault
		code  int
		err   error
	}{
		{"status", Fault{Status: 503}, 503, nil},
		{"refuse", Fault{Refuse: true}, 0, io.EOF},
		{"truncate", Fault{Truncate: true}, 200, io.ErrUnexpectedEOF},
		{"silent", Fault{Silent: true}, 0, context.DeadlineExceeded},
		{"slow", Fault{Delay: time.Hour}, 0, context.DeadlineExceeded},
	} {
		s, web := start(t, example())
		s.SetFault(tc.fault)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, web.URL+"/latest/api/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(ttlHeader, "60")
		code := 0
		a, err := web.Client().Do(r)
		if err == nil {
			code = a.StatusCode
			_, err = io.ReadAll(a.Body)
			a.Body.Close()
		}
		cancel()
		if code != tc.code || !errors.Is(err, tc.err) {
			t.Errorf("%s: %d, %v; not %d, %v", tc.name, code, err, tc.code, tc.err)
		}
		if len(s.Requests()) == 0 {
			t.Errorf("%s: the request was not counted", tc.name)
		}
	}
}

func TestFaultEnds(t *testing.T) {
	s, web := start(t, example())
	s.SetFault(Fault{Silent: true})
	go func() {
		for len(s.Requests()) == 0 {
			time.Sleep(time.Millisecond)
		}
		s.SetFault(Fault{})
	}()
	if code, body := ask(t, web, "/latest/user-data"); code != 200 || body != "#bootswain\n" {
		t.Errorf("%d %q", code, body)
	}
}

// TestSDK asks with the client that the agent uses.
func TestSDK(t *testing.T) {
	_, web := start(t, example())
	c := sdk.New(sdk.Options{Endpoint: web.URL})
	document, err := c.GetInstanceIdentityDocument(t.Context(), nil)
	if err != nil || document.InstanceID != "i-0abc" || document.Region != "eu-central-1" {
		t.Errorf("%+v, %v", document, err)
	}
	data, err := c.GetUserData(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(data.Content); err != nil || string(body) != "#bootswain\n" {
		t.Errorf("%q, %v", body, err)
	}
}
