package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// apiVersion is the version of the answers, apart from bootswain's own.
const apiVersion = "1"

// Handler answers from the report at path:
//
//	/livez   200 while this process runs
//	/readyz  200 when the machine does its work: nothing fails or is on its way
//	/health  everything, as application/health+json (draft-inadarei-api-health-check-06);
//	         200 for pass and warn, 503 for fail.
//	         ?check=NAME picks checks, ?format=text or Accept: text/plain gives sentences
//
// now is the clock.
func Handler(path string, now func() time.Time) http.Handler {
	h := handler{path: path, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /health", h.health)
	return mux
}

type handler struct {
	path string
	now  func() time.Time
}

// current returns the report, empty if there is none, and its checks with that
// of the daemon itself in front.
func (h handler) current() (Report, []Check) {
	report, daemon := Latest(h.path, h.now())
	if report == nil {
		return Report{}, []Check{daemon}
	}
	return *report, append([]Check{daemon}, report.Checks...)
}

func (h handler) live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

func (h handler) ready(w http.ResponseWriter, _ *http.Request) {
	_, checks := h.current()
	if Settled(checks) {
		answer(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
		return
	}
	answer(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(Sentences(notable(checks))))
}

func (h handler) health(w http.ResponseWriter, r *http.Request) {
	report, checks := h.current()
	checks, unknown := pick(checks, r.URL.Query()["check"])
	if unknown != "" {
		text := fmt.Sprintf("there is no check %q\n", unknown)
		answer(w, http.StatusNotFound, "text/plain; charset=utf-8", []byte(text))
		return
	}
	code := http.StatusOK
	if Worst(checks) == Fail {
		code = http.StatusServiceUnavailable
	}
	if wantsText(r) {
		answer(w, code, "text/plain; charset=utf-8", []byte(Sentences(checks)))
		return
	}
	body, err := json.MarshalIndent(document(report, checks), "", "  ")
	if err != nil {
		http.Error(w, "cannot answer", http.StatusInternalServerError)
		return
	}
	answer(w, code, "application/health+json", append(body, '\n'))
}

// pick returns the named checks, and always that of the daemon: if it fails,
// nothing is known of the others. Without names all are wanted.
func pick(checks []Check, names []string) (picked []Check, unknown string) {
	if len(names) == 0 {
		return checks, ""
	}
	picked = append(picked, checks[0])
	for _, name := range names {
		found := name == checks[0].Name
		for _, c := range checks[1:] {
			if c.Name == name {
				picked, found = append(picked, c), true
			}
		}
		if !found && checks[0].Status != Fail {
			return nil, name
		}
	}
	return picked, ""
}

func wantsText(r *http.Request) bool {
	if f := r.URL.Query().Get("format"); f != "" {
		return f == "text"
	}
	return strings.HasPrefix(r.Header.Get("Accept"), "text/plain")
}

func answer(w http.ResponseWriter, code int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that is gone gets nothing
}

// doc is the top object of draft-inadarei-api-health-check-06, section 3. The
// status stands first.
type doc struct {
	Status    Status                `json:"status"`
	Version   string                `json:"version"`
	ReleaseID string                `json:"releaseId,omitempty"`
	ServiceID string                `json:"serviceId,omitempty"`
	Output    string                `json:"output,omitempty"`
	Checks    map[string][]docCheck `json:"checks"`
}

// docCheck is one of the draft's checks objects, section 4; "since" and "next"
// are ours.
type docCheck struct {
	Status        Status    `json:"status"`
	ComponentType string    `json:"componentType"`
	ObservedValue *float64  `json:"observedValue,omitempty"`
	ObservedUnit  string    `json:"observedUnit,omitempty"`
	Time          time.Time `json:"time"`
	Since         time.Time `json:"since,omitzero"`
	Output        string    `json:"output,omitempty"` // not for pass, as the draft wants it
	Next          string    `json:"next,omitempty"`
}

func document(r Report, checks []Check) doc {
	d := doc{
		Status: Worst(checks), Version: apiVersion, ReleaseID: r.Release, ServiceID: r.Instance,
		Output: strings.TrimSpace(Sentences(notable(checks))), Checks: map[string][]docCheck{},
	}
	for _, c := range checks {
		dc := docCheck{
			Status: c.Status, ComponentType: "system", ObservedValue: c.Value, ObservedUnit: c.Unit,
			Time: c.Time, Since: c.Since,
		}
		if kind, _, _ := strings.Cut(c.Name, ":"); kind == "mysql" {
			dc.ComponentType = "datastore"
		}
		if c.Status != Pass {
			dc.Output, dc.Next = c.Sentence.Situation().Error(), c.Sentence.Next
		}
		d.Checks[c.Name] = append(d.Checks[c.Name], dc)
	}
	return d
}
