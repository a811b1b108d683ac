package ec2

import (
	"slices"
	"strings"
)

// maxAttached is how many devices an instance takes, root and network included
// (EC2 user guide, "EBS volume limits for instances").
const maxAttached = 27

func (s *Server) attachVolume(q query) (any, error) {
	v, i, device := s.volumes[q.get("VolumeId")], s.instances[q.get("InstanceId")], q.get("Device")
	if err := s.mayAttach(v, i, q); err != nil {
		return nil, err
	}
	v.Attachments = append(v.Attachments, Attachment{Instance: i.ID, Device: device, State: attaching})
	answer := attachmentAnswer{newHead(), v.attachmentItem(v.Attachments[len(v.Attachments)-1])}
	s.work(func() error { return s.hardware.Attach(s.ctx, v.ID, i.ID, device) }, func(err error) {
		v.pass(i.ID, attaching, attached, err != nil)
	})
	return answer, nil
}

func (s *Server) mayAttach(v *Volume, i *Instance, q query) error {
	device := q.get("Device")
	switch {
	case v == nil:
		return noVolume(q.get("VolumeId"))
	case i == nil:
		return invalid("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", q.get("InstanceId"))
	case device == "":
		return invalid("MissingParameter", "The request must contain the parameter device")
	case i.State != "running" && i.State != "stopped":
		return invalid("IncorrectState", "Instance '%s' is not 'running'.", i.ID)
	case v.Zone != i.Zone:
		return invalid("InvalidVolume.ZoneMismatch", "The volume '%s' is not in the same availability zone as instance '%s'", v.ID, i.ID)
	case v.state != "":
		return invalid("IncorrectState", "Volume '%s' is in the '%s' state.", v.ID, v.state)
	case len(v.Attachments) > 0 && !v.MultiAttach || slices.ContainsFunc(v.Attachments, at(i.ID)):
		return invalid("VolumeInUse", "%s is already attached to an instance", v.ID)
	}
	held := 0
	for _, other := range s.volumes {
		for _, a := range other.Attachments {
			if a.Instance != i.ID {
				continue
			}
			held++
			if letter(a.Device) == letter(device) {
				return invalid("InvalidParameterValue", "Invalid value '%s' for unixDevice. Attachment point %s is already in use", device, device)
			}
		}
	}
	if held >= maxAttached {
		return invalid("AttachmentLimitExceeded", "The volume limit of instance '%s' is reached", i.ID)
	}
	return nil
}

// letter is what tells device names apart: /dev/sdf and xvdf are one.
func letter(device string) string {
	name := strings.TrimPrefix(device, "/dev/")
	return strings.TrimPrefix(strings.TrimPrefix(name, "xvd"), "sd")
}

func at(instance string) func(Attachment) bool {
	return func(a Attachment) bool { return a.Instance == instance }
}

// Attached notes that the hardware attached a volume without being asked, as a
// launch does.
func (s *Server) Attached(volume, instance, device string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.volumes[volume]; v != nil && !slices.ContainsFunc(v.Attachments, at(instance)) {
		v.Attachments = append(v.Attachments, Attachment{Instance: instance, Device: device, State: attached})
	}
}

// Detached notes that the hardware has let a volume go.
func (s *Server) Detached(volume string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.volumes[volume]; v != nil {
		v.Attachments = nil
	}
}

// pass ends a passing state of an attachment: it goes on to the next, or is
// gone.
func (v *Volume) pass(instance, from, to string, gone bool) {
	n := slices.IndexFunc(v.Attachments, at(instance))
	switch {
	case n < 0 || v.Attachments[n].State != from:
	case gone:
		v.Attachments = slices.Delete(v.Attachments, n, n+1)
	default:
		v.Attachments[n].State = to
	}
}

func (s *Server) detachVolume(q query) (any, error) {
	v := s.volumes[q.get("VolumeId")]
	if v == nil {
		return nil, noVolume(q.get("VolumeId"))
	}
	if len(v.Attachments) == 0 {
		return nil, invalid("IncorrectState", "Volume '%s' is in the '%s' state.", v.ID, v.status())
	}
	n := 0
	if instance := q.get("InstanceId"); instance != "" {
		n = slices.IndexFunc(v.Attachments, at(instance))
	}
	if n < 0 || n > 0 && q.get("InstanceId") == "" {
		return nil, invalid("InvalidAttachment.NotFound", "The volume '%s' is not attached to instance '%s'", v.ID, q.get("InstanceId"))
	}
	a := &v.Attachments[n]
	if a.State == detaching {
		return nil, invalid("IncorrectState", "Volume '%s' is in the 'detaching' state.", v.ID)
	}
	a.State = detaching
	instance, answer := a.Instance, attachmentAnswer{newHead(), v.attachmentItem(*a)}
	s.work(func() error { return s.hardware.Detach(s.ctx, v.ID, instance) }, func(err error) {
		v.pass(instance, detaching, attached, err == nil)
	})
	return answer, nil
}
