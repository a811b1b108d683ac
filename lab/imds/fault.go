package imds

import (
	"net/http"
	"strconv"
	"time"
)

// Fault is what is wrong with the service. The zero Fault is a sound one.
type Fault struct {
	Delay    time.Duration // every answer comes this much later
	Status   int           // every request, also for a token, is answered with this code
	Refuse   bool          // connections are closed without an answer
	Silent   bool          // requests wait until the fault changes
	Truncate bool          // bodies end halfway through their announced length
}

// SetFault changes what is wrong, also for requests that wait.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	close(s.changed)
	s.changed = make(chan struct{})
}

// Fault returns what is wrong.
func (s *Server) Fault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// suffer lets the fault have its way with a request. It returns where an
// answer may be written, or false if there is nothing more to say.
func (s *Server) suffer(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, bool) {
	delayed := false
	for {
		s.mu.Lock()
		f, changed := s.fault, s.changed
		s.mu.Unlock()
		var late <-chan time.Time
		switch {
		case f.Silent:
		case f.Delay > 0 && !delayed:
			late = time.After(f.Delay)
			delayed = true
		case f.Refuse:
			panic(http.ErrAbortHandler) // net/http hangs up without a word
		case f.Status != 0:
			status(w, f.Status)
			return nil, false
		case f.Truncate:
			return &truncated{ResponseWriter: w}, true
		default:
			return w, true
		}
		select {
		case <-late:
		case <-changed:
		case <-r.Context().Done():
			return nil, false
		}
	}
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
