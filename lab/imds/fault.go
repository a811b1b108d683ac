package imds

import (
	"net/http"
	"strconv"
	"time"

	"bootswain/lab/fault"
)

// Fault is what is wrong with the service. The zero Fault is a sound one.
type Fault struct {
	Delay    time.Duration // every answer comes this much later
	Status   int           // every request, also for a token, is answered with this code
	Refuse   bool          // connections are closed without an answer
	Silent   bool          // requests wait until the fault changes
	Truncate bool          // bodies end halfway through their announced length
	HopLimit bool          // tokens do not arrive: requests for one wait until the fault changes
	Expired  int           // this many requests with a token are answered as if it had expired; -1 is every one
}

// SetFault changes what is wrong, also for requests that wait.
func (s *Server) SetFault(f Fault) { s.line.Set(f) }

// Fault returns what is wrong.
func (s *Server) Fault() Fault { return s.line.Get() }

// suffer lets the fault have its way with a request. It returns where an
// answer may be written, or false if there is nothing more to say.
func (s *Server) suffer(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, bool) {
	f, through := s.line.Pass(r, func(f Fault) fault.Common {
		return fault.Common{Delay: f.Delay, Silent: f.Silent || f.HopLimit && r.Method == http.MethodPut, Refuse: f.Refuse}
	})
	switch {
	case !through:
		return nil, false
	case f.Status != 0:
		status(w, f.Status)
		return nil, false
	case f.Expired != 0 && r.Header.Get(tokenHeader) != "":
		if f.Expired > 0 {
			f.Expired--
			s.line.Set(f)
		}
		status(w, http.StatusUnauthorized)
		return nil, false
	case f.Truncate:
		return &truncated{ResponseWriter: w}, true
	}
	return w, true
}

// truncated announces a body of full length, sends half of it and hangs up.
type truncated struct{ http.ResponseWriter }

func (t *truncated) Write(p []byte) (int, error) {
	t.Header().Set("Content-Length", strconv.Itoa(len(p)))
	if _, err := t.ResponseWriter.Write(p[:len(p)/2]); err != nil {
		return 0, err
	}
	if err := http.NewResponseController(t.ResponseWriter).Flush(); err != nil {
		return 0, err
	}
	panic(http.ErrAbortHandler)
}
