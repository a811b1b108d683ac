package ec2

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"bootswain/lab/fault"
)

// Fault is what is wrong with the API. The zero Fault is a sound one.
type Fault struct {
	Delay    time.Duration // every answer comes this much later
	Silent   bool          // requests wait until the fault changes
	Refuse   bool          // connections are closed without an answer
	Throttle []string      // actions that are answered with RequestLimitExceeded; "*" for all
	Denied   []string      // actions that no policy allows; "*" for all
	Page     int           // no answer lists more than this; 0: as asked
}

// errSilent is a request whose caller gave up waiting.
var errSilent = errors.New("nobody waits for the answer")

// SetFault changes what is wrong, also for requests that wait.
func (s *Server) SetFault(f Fault) { s.line.Set(f) }

// suffer lets the fault have its way with a request.
func (s *Server) suffer(r *http.Request, action string, who caller) error {
	f, through := s.line.Pass(r, func(f Fault) fault.Common { return fault.Common{Delay: f.Delay, Silent: f.Silent, Refuse: f.Refuse} })
	hits := func(list []string) bool { return slices.Contains(list, action) || slices.Contains(list, "*") }
	switch {
	case !through:
		return errSilent
	case hits(f.Throttle):
		return failure(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	case hits(f.Denied) && who.instance != "":
		return failure(http.StatusForbidden, "UnauthorizedOperation", fmt.Sprintf("You are not authorized to perform this operation. "+
			"User: arn:aws:sts::123456789012:assumed-role/%s/%s is not authorized to perform: ec2:%s because no identity-based policy allows the ec2:%s action", who.role, who.instance, action, action))
	}
	return nil
}
