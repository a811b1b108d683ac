package health

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Handler answers from the report at path:
//
//	/        everything on one page for people; text for programs of the command line
//	/livez   200 while this process runs
//	/readyz  200 when the machine does its work: nothing fails or is on its way
//	/health  everything, as application/health+json (draft-inadarei-api-health-check-06);
//	         200 for pass and warn, 503 for fail.
//	         ?check=NAME picks checks, ?format=text or Accept: text/plain gives sentences
//	/metrics numbers for Prometheus: its text format, or OpenMetrics where Accept says so
//
// An answer costs one look at whether the report changed; what hangs on the
// machine hangs none of them. uptime is as Uptime.
func Handler(path string, uptime func() time.Duration) http.Handler {
	return (&source{path: path, uptime: uptime}).handler()
}

func (s *source) handler() http.Handler {
	h := handler{s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /health", h.health)
	mux.HandleFunc("GET /metrics", h.metrics)
	mux.HandleFunc("GET /{$}", h.front)
	return mux
}

type handler struct{ *source }

const plain = "text/plain; charset=utf-8"

func (h handler) live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, plain, []byte("ok\n"))
}

func (h handler) ready(w http.ResponseWriter, _ *http.Request) {
	_, checks := h.current()
	if Settled(checks) {
		answer(w, http.StatusOK, plain, []byte("ok\n"))
		return
	}
	answer(w, http.StatusServiceUnavailable, plain, []byte(Sentences(notable(checks))))
}

func (h handler) health(w http.ResponseWriter, r *http.Request) {
	wanted, text := r.URL.Query()["check"], wantsText(r)
	if len(wanted) == 0 && !text {
		body, checks := h.body("health", false, document)
		answer(w, codeOf(checks), "application/health+json", body)
		return
	}
	report, checks := h.current()
	checks, unknown := pick(checks, wanted)
	switch {
	case unknown != "":
		answer(w, http.StatusNotFound, plain, fmt.Appendf(nil, "there is no check %q\n", unknown))
	case text:
		answer(w, codeOf(checks), plain, []byte(Sentences(checks)))
	default:
		answer(w, codeOf(checks), "application/health+json", document(report, checks))
	}
}

func (h handler) metrics(w http.ResponseWriter, r *http.Request) {
	kind, open := promText, false
	if strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text") {
		kind, open = openMetrics, true
	}
	body, _ := h.body(kind, true, func(r Report, checks []Check) []byte { return exposition(families(r, checks), open) })
	answer(w, http.StatusOK, kind, body)
}

// front is for people: a page in a browser, text elsewhere.
func (h handler) front(w http.ResponseWriter, r *http.Request) {
	if wantsText(r) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		body, _ := h.body("text", false, func(r Report, checks []Check) []byte {
			var b strings.Builder
			r.Checks = checks[1:]
			_ = Text(&b, r, checks[0], View{Steps: true}) // a strings.Builder takes everything
			return []byte(b.String())
		})
		answer(w, http.StatusOK, plain, body)
		return
	}
	body, _ := h.body("page", true, page)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	answer(w, http.StatusOK, "text/html; charset=utf-8", body)
}

// codeOf is 200 for pass and warn, as the draft wants it.
func codeOf(checks []Check) int {
	if Worst(checks) == Fail {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
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

// wantsText goes by the query, then by what Accept names first.
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
