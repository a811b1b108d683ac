package ec2

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Instance is a virtual machine.
type Instance struct {
	ID    string // "i-0…"
	Zone  string
	State string // "" means "running"
}

// SetInstance lets the API know of an instance, or of its new state. One that
// is terminated lets go of its volumes.
func (s *Server) SetInstance(i Instance) {
	i.State = cmp.Or(i.State, "running")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instances[i.ID] = &i
	if i.State == "terminated" {
		for _, v := range s.volumes {
			v.Attachments = slices.DeleteFunc(v.Attachments, at(i.ID))
		}
	}
}

// Credentials are an instance's, as its metadata service gives them at
// iam/security-credentials/ROLE.
type Credentials struct {
	Code            string // "Success"
	LastUpdated     time.Time
	Type            string // "AWS-HMAC"
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      time.Time
}

// JSON is the text that the metadata service gives.
func (c Credentials) JSON() string {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic(err) // strings and times always marshal
	}
	return string(b)
}

// Credentials makes new ones for an instance with a role.
func (s *Server) Credentials(instance, role string) Credentials {
	now := time.Now().UTC().Truncate(time.Second)
	c := Credentials{
		Code: "Success", LastUpdated: now, Type: "AWS-HMAC", Expiration: now.Add(6 * time.Hour),
		AccessKeyID: "ASIA" + strings.ToUpper(rand.Text())[:16], SecretAccessKey: rand.Text(), Token: rand.Text(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[c.AccessKeyID] = caller{instance, role}
	return c
}

func (s *Server) describeInstances(q query) (any, error) {
	ids := q.list("InstanceId")
	for _, id := range ids {
		if s.instances[id] == nil {
			return nil, invalid("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
	}
	var hits []*Instance
	for _, id := range slices.Sorted(maps.Keys(s.instances)) {
		i := s.instances[id]
		met, err := match(q.filters(), nil, func(name string) ([]string, bool) {
			switch name {
			case "instance-id":
				return []string{i.ID}, true
			case "availability-zone":
				return []string{i.Zone}, true
			case "instance-state-name":
				return []string{i.State}, true
			}
			return nil, false
		})
		if err != nil {
			return nil, err
		}
		if met && (len(ids) == 0 || slices.Contains(ids, id)) {
			hits = append(hits, i)
		}
	}
	part, next, err := page(q, s.line.Get().Page, hits)
	a := instancesAnswer{head: newHead(), Next: next}
	for _, i := range part {
		a.Reservations = append(a.Reservations, reservationItem{ID: "r-" + strings.TrimPrefix(i.ID, "i-"), Instances: []instanceItem{i.item()}})
	}
	return a, err
}
