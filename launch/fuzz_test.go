package launch

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzIMDS has a metadata service that answers anything. What is read is whole or
// an error, and an error is no "none given".
func FuzzIMDS(f *testing.F) {
	f.Add(200, "#bootswain\n", 200, identityDocument, 200, "0=laptop\n1=spare", "ssh-ed25519 AAAA laptop\n")
	f.Add(404, "", 200, identityDocument, 404, "", "")
	f.Add(500, "x", 200, "{}", 200, "0=", "\n\n")
	f.Add(200, "\x1f\x8b", 200, `{"instanceId": 1}`, 302, "../../x=y", "a\r\nb")
	f.Add(200, "", 200, `{"instanceId": "i-1"}`, 200, "=\n%=x\n?a=b\n../=c", "k")
	f.Add(4, "x", 200, identityDocument, 200, "", "")
	service := newService()
	server := httptest.NewServer(service)
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, dataStatus int, data string, identityStatus int, identity string, keysStatus int, keys, key string) {
		service.requests = nil
		service.override = func(w http.ResponseWriter, r *http.Request) bool {
			status, text := keysStatus, key
			switch r.URL.Path {
			case "/latest/api/token":
				return false
			case "/latest/user-data":
				status, text = dataStatus, data
			case "/latest/dynamic/instance-identity/document":
				status, text = identityStatus, identity
			case "/latest/meta-data/public-keys/":
				text = keys
			}
			w.WriteHeader(200 + max(status, -status)%400)
			say(w, text)
			return true
		}
		if strings.Count(keys, "=") > 100 {
			return // as many requests
		}
		d, err := Fetch(t.Context(), Source{Endpoint: server.URL})
		given := 200 + max(dataStatus, -dataStatus)%400
		switch {
		case err != nil && (d.Given || d.UserData != nil || d.InstanceID != ""):
			t.Errorf("data with an error: %+v, %v", d, err)
		case err == nil && d.InstanceID == "":
			t.Errorf("no instance id, and no error: %+v", d)
		case err == nil && !d.Given && given != http.StatusNotFound:
			t.Errorf("the answer %d was taken for none given", given)
		case err == nil && d.Given && (given != http.StatusOK || string(d.UserData) != data):
			t.Errorf("got %q, want %q", d.UserData, data)
		}
		for _, k := range d.PublicKeys {
			if k == "" || strings.ContainsAny(k, "\n") {
				t.Errorf("key %q", k)
			}
		}
	})
}
