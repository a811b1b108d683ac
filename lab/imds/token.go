package imds

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	tokenHeader = "X-Aws-Ec2-Metadata-Token"
	ttlHeader   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	maxTTL      = 21600 // seconds, as EC2 documents it
)

// token answers PUT /latest/api/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	ttl, err := strconv.Atoi(r.Header.Get(ttlHeader))
	switch {
	case r.Method != http.MethodPut:
		status(w, http.StatusMethodNotAllowed)
		return
	case r.Header.Get("X-Forwarded-For") != "": // a proxy that must not speak for the instance
		status(w, http.StatusForbidden)
		return
	case err != nil || ttl < 1 || ttl > maxTTL:
		status(w, http.StatusBadRequest)
		return
	}
	token := rand.Text()
	s.mu.Lock()
	s.tokens[token] = time.Now().Add(time.Duration(ttl) * time.Second)
	s.mu.Unlock()
	w.Header().Set(ttlHeader, strconv.Itoa(ttl))
	fmt.Fprint(w, token)
}

func (s *Server) authorized(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.tokens[r.Header.Get(tokenHeader)])
}
