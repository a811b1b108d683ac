package ec2

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// States of volumes and of their attachments.
const (
	creating  = "creating"
	available = "available"
	inUse     = "in-use"
	attaching = "attaching"
	attached  = "attached"
	detaching = "detaching"
)

// Volume is an EBS volume.
type Volume struct {
	ID          string // "vol-0…"
	Zone        string // availability zone
	Size        int    // GiB
	Type        string // "" means "gp3"
	Snapshot    string // that it was made from; "" for a blank one
	MultiAttach bool
	Tags        map[string]string
	Attachments []Attachment

	state   string // "" apart from creating: said by the attachments
	created time.Time
}

// Attachment is a volume at an instance.
type Attachment struct {
	Instance string
	Device   string // "/dev/sdf"
	State    string // "attaching", "attached", "detaching"; "" means "attached"
	Ends     bool   // the volume is deleted with the instance
}

// AddVolume lets the API know of a volume.
func (s *Server) AddVolume(v Volume) {
	v.Type = cmp.Or(v.Type, "gp3")
	v.Tags, v.Attachments = maps.Clone(v.Tags), slices.Clone(v.Attachments)
	v.created = time.Now()
	for i := range v.Attachments {
		v.Attachments[i].State = cmp.Or(v.Attachments[i].State, attached)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.volumes[v.ID] = &v
}

// RemoveVolume deletes a volume.
func (s *Server) RemoveVolume(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.volumes, id)
}

// Volume returns a copy of what the API knows of a volume; the zero Volume if
// there is none.
func (s *Server) Volume(id string) Volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.volumes[id]
	if v == nil {
		return Volume{}
	}
	c := *v
	c.Tags, c.Attachments = maps.Clone(v.Tags), slices.Clone(v.Attachments)
	return c
}

func (v *Volume) status() string {
	switch {
	case v.state != "":
		return v.state
	case len(v.Attachments) > 0:
		return inUse
	}
	return available
}

// settle lets a volume that was seen in a passing state pass on.
func (v *Volume) settle() {
	v.state = ""
	v.Attachments = slices.DeleteFunc(v.Attachments, func(a Attachment) bool { return a.State == detaching })
	for i := range v.Attachments {
		v.Attachments[i].State = attached
	}
}

func (v *Volume) attributes(name string) ([]string, bool) {
	var each []string
	of := func(f func(Attachment) string) ([]string, bool) {
		for _, a := range v.Attachments {
			each = append(each, f(a))
		}
		return each, true
	}
	switch name {
	case "volume-id":
		return []string{v.ID}, true
	case "status":
		return []string{v.status()}, true
	case "availability-zone":
		return []string{v.Zone}, true
	case "snapshot-id":
		return []string{v.Snapshot}, true
	case "size":
		return []string{strconv.Itoa(v.Size)}, true
	case "volume-type":
		return []string{v.Type}, true
	case "multi-attach-enabled":
		return []string{strconv.FormatBool(v.MultiAttach)}, true
	case "attachment.instance-id":
		return of(func(a Attachment) string { return a.Instance })
	case "attachment.device":
		return of(func(a Attachment) string { return a.Device })
	case "attachment.status":
		return of(func(a Attachment) string { return a.State })
	}
	return nil, false
}

func (s *Server) describeVolumes(q query) (any, error) {
	ids := q.list("VolumeId")
	for _, id := range ids {
		if s.volumes[id] == nil {
			return nil, noVolume(id)
		}
	}
	if len(ids) > 0 && q.get("MaxResults") != "" {
		return nil, invalid("InvalidParameterCombination", "The parameter volumeSet cannot be used with the parameter maxResults")
	}
	var hits []*Volume
	filters := q.filters()
	for _, id := range slices.Sorted(maps.Keys(s.volumes)) {
		v := s.volumes[id]
		met, err := match(filters, v.Tags, v.attributes)
		if err != nil {
			return nil, err
		}
		if met && (len(ids) == 0 || slices.Contains(ids, id)) {
			hits = append(hits, v)
		}
	}
	part, next, err := page(q, s.line.Get().Page, hits)
	if err != nil {
		return nil, err
	}
	a := volumesAnswer{head: newHead(), Next: next}
	for _, v := range part {
		a.Volumes = append(a.Volumes, v.item())
		if s.hardware == nil {
			v.settle()
		}
	}
	return a, nil
}

// work has the hardware do something, with s.mu held, and lets done note how it
// ended. Without hardware nothing is to be done.
func (s *Server) work(do func() error, done func(error)) {
	if s.hardware == nil {
		return
	}
	s.working.Go(func() {
		err := do()
		s.mu.Lock()
		defer s.mu.Unlock()
		done(err)
	})
}

func noVolume(id string) error {
	return invalid("InvalidVolume.NotFound", "The volume '%s' does not exist.", id)
}
