package launch

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestFetchIPv6 has the metadata service on IPv6 only, as a subnet without IPv4
// has it.
func TestFetchIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	service := newService()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RemoteAddr[:5] != "[::1]" {
			t.Errorf("asked by %s", r.RemoteAddr)
		}
		service.ServeHTTP(w, r)
	}))
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	defer server.Close()
	var dialled []string
	there := func(ctx context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return new(net.Dialer).DialContext(ctx, "tcp6", l.Addr().String())
	}
	for name, c := range map[string]struct {
		env, value string
		src        Source
		dialled    []string
	}{
		"mode by the environment":     {"_MODE", "IPv6", Source{dial: there}, []string{"[fd00:ec2::254]:80"}},
		"mode by the image":           {"_MODE", "", Source{dial: there, IPv6: true}, []string{"[fd00:ec2::254]:80"}},
		"endpoint by the environment": {"", server.URL, Source{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dialled = nil
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"+c.env, c.value)
			d, err := Fetch(t.Context(), c.src)
			if err != nil || !d.Given || d.InstanceID != "i-0123456789abcdef0" || len(d.PublicKeys) != 2 {
				t.Errorf("got %+v, %v", d, err)
			}
			if !slices.Equal(slices.Compact(dialled), c.dialled) {
				t.Errorf("asked %v, want %v", dialled, c.dialled)
			}
		})
	}
}
