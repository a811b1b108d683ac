package ec2

import (
	"maps"
	"slices"
	"time"
)

// Snapshot is a copy of a volume.
type Snapshot struct {
	ID     string // "snap-0…"
	Volume string // that it was taken of
	Size   int    // GiB
	Tags   map[string]string

	Started time.Time // the moment whose state it has
	Pending bool      // it is still being taken
}

func (p *Snapshot) status() string {
	if p.Pending {
		return "pending"
	}
	return "completed"
}

// AddSnapshot lets the API know of a snapshot.
func (s *Server) AddSnapshot(p Snapshot) {
	p.Tags = maps.Clone(p.Tags)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots[p.ID] = &p
}

func (s *Server) describeSnapshots(q query) (any, error) {
	ids := q.list("SnapshotId")
	for _, id := range ids {
		if s.snapshots[id] == nil {
			return nil, invalid("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
		}
	}
	var hits []*Snapshot
	for _, id := range slices.Sorted(maps.Keys(s.snapshots)) {
		p := s.snapshots[id]
		met, err := match(q.filters(), p.Tags, func(name string) ([]string, bool) {
			switch name {
			case "snapshot-id":
				return []string{p.ID}, true
			case "volume-id":
				return []string{p.Volume}, true
			case "status":
				return []string{p.status()}, true
			}
			return nil, false
		})
		if err != nil {
			return nil, err
		}
		if met && (len(ids) == 0 || slices.Contains(ids, id)) {
			hits = append(hits, p)
		}
	}
	part, next, err := page(q, s.line.Get().Page, hits)
	a := snapshotsAnswer{head: newHead(), Next: next}
	for _, p := range part {
		a.Snapshots = append(a.Snapshots, p.item())
	}
	return a, err
}

// createTags tags volumes and snapshots.
func (s *Server) createTags(q query) (any, error) {
	tags := q.tags("Tag")
	var on []map[string]string
	for _, id := range q.list("ResourceId") {
		switch v, p := s.volumes[id], s.snapshots[id]; {
		case v != nil:
			if v.Tags == nil {
				v.Tags = map[string]string{}
			}
			on = append(on, v.Tags)
		case p != nil:
			on = append(on, p.Tags)
		default:
			return nil, invalid("InvalidID", "The ID '%s' is not valid", id)
		}
	}
	for _, have := range on {
		maps.Copy(have, tags)
	}
	return doneAnswer{newHead(), true}, nil
}
