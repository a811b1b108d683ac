package ec2

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"
)

// creation is a volume that was made, and of what.
type creation struct{ volume, snapshot, zone, size string }

func (s *Server) createVolume(q query) (any, error) {
	c := creation{snapshot: q.get("SnapshotId"), zone: q.get("AvailabilityZone"), size: q.get("Size")}
	token := q.get("ClientToken")
	if made, again := s.made[token]; again && token != "" {
		if c.volume = made.volume; c != made {
			return nil, invalid("IdempotentParameterMismatch", "The client token '%s' was used before with other parameters", token)
		}
		if v := s.volumes[made.volume]; v != nil {
			return volumeAnswer{newHead(), v.item()}, nil
		}
		return nil, noVolume(made.volume)
	}
	size, err := s.sizeOf(c)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // never fails
	v := &Volume{
		ID: "vol-0" + hex.EncodeToString(raw), Zone: c.zone, Size: size, Type: cmp.Or(q.get("VolumeType"), "gp2"), Snapshot: c.snapshot,
		Tags: map[string]string{}, state: creating, created: time.Now(),
	}
	if q.get("TagSpecification.1.ResourceType") == "volume" {
		v.Tags = q.tags("TagSpecification.1.Tag")
	}
	c.volume = v.ID
	s.volumes[v.ID], s.made[token] = v, c
	answer := volumeAnswer{newHead(), v.item()}
	s.work(func() error { return s.hardware.Create(s.ctx, v.ID, c.snapshot, size) }, func(err error) {
		if v.state = ""; err != nil {
			delete(s.volumes, v.ID)
		}
	})
	return answer, nil
}

// sizeOf returns the size that a volume asked for has.
func (s *Server) sizeOf(c creation) (int, error) {
	if c.zone == "" {
		return 0, invalid("MissingParameter", "The request must contain the parameter AvailabilityZone")
	}
	size, err := strconv.Atoi(cmp.Or(c.size, "0"))
	if err != nil || size < 0 {
		return 0, invalid("InvalidParameterValue", "Value (%s) for parameter size is invalid.", c.size)
	}
	if c.snapshot != "" {
		from := s.snapshots[c.snapshot]
		if from == nil {
			return 0, invalid("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", c.snapshot)
		}
		if size == 0 {
			size = from.Size
		}
		if size < from.Size {
			return 0, invalid("InvalidParameterValue", "The volume size is invalid for this snapshot: %d < %d", size, from.Size)
		}
	}
	if size == 0 {
		return 0, invalid("MissingParameter", "The request must contain the parameter size/snapshot")
	}
	return size, nil
}
