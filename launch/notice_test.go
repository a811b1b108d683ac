package launch

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNotices(t *testing.T) {
	s := newService()
	server := httptest.NewServer(s)
	defer server.Close()
	ask := func() ([]Notice, error) { return Notices(t.Context(), Source{Endpoint: server.URL}) }
	if got, err := ask(); len(got) != 0 || err != nil {
		t.Errorf("nothing is announced: %v, %v", got, err)
	}
	const at = "/latest/meta-data/"
	s.paths[at+"spot/instance-action"] = `{"action":"stop","time":"2017-09-18T08:22:00Z"}`
	s.paths[at+"events/maintenance/scheduled"] = `[ {
  "NotBefore" : "21 Jan 2019 09:00:43 GMT", "Code" : "system-reboot", "Description" : "scheduled reboot",
  "EventId" : "instance-event-0d59937288b749b32", "NotAfter" : "21 Jan 2019 09:17:23 GMT", "State" : "active" },
  { "Code": "system-reboot", "State": "completed" }, { "Code": "instance-retirement", "NotBefore": "soon" } ]`
	s.paths[at+"events/recommendations/rebalance"] = `{"noticeTime": "2020-10-26T22:53:48Z"}`
	got, err := ask()
	want := []Notice{
		{"stop", "Spot interruption", time.Date(2017, 9, 18, 8, 22, 0, 0, time.UTC)},
		{"system-reboot", "scheduled reboot", time.Date(2019, 1, 21, 9, 0, 43, 0, time.UTC)},
		{What: "instance-retirement"},
		{What: "rebalance", Text: "an interruption of this Spot instance is likelier than usual"},
	}
	for i := range got {
		got[i].At = got[i].At.UTC()
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	s.paths[at+"events/maintenance/scheduled"] = `<html>`
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "cannot read what IMDS says of events/maintenance/scheduled") {
		t.Errorf("no JSON: %v", err)
	}
	if got, err := Notices(t.Context(), Source{File: "/etc/bootswain/launch.yaml"}); len(got) != 0 || err != nil {
		t.Errorf("from a file: %v, %v", got, err)
	}
}

func FuzzNotices(f *testing.F) {
	f.Add([]byte(`[{"Code":"x","NotBefore":"21 Jan 2019 09:00:43 GMT"}]`))
	f.Add([]byte(`{"action":"stop","time":"2017-09-18T08:22:00Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, parse := range []func([]byte) ([]Notice, error){spotNotice, maintenance} {
			if all, err := parse(text); err == nil && len(all) > maxNotices {
				t.Errorf("%d notices", len(all))
			}
		}
	})
}
