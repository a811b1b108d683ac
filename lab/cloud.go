package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"bootswain/lab/awsjson"
	"bootswain/lab/ec2"
)

// The account's only region has one zone with machines in it.
const (
	region = "eu-central-1"
	zone   = region + "a"
)

// hardware does to machines what EC2 was asked for.
type hardware struct{ lab *Lab }

// Attach implements ec2.Hardware.
func (h hardware) Attach(ctx context.Context, volume, instance, _ string) error {
	m, v, err := h.find(volume, instance)
	if err != nil {
		return err
	}
	return m.Attach(ctx, v)
}

// Detach implements ec2.Hardware.
func (h hardware) Detach(ctx context.Context, volume, instance string) error {
	m, v, err := h.find(volume, instance)
	if err != nil {
		return err
	}
	return m.Detach(ctx, v)
}

// Create implements ec2.Hardware.
func (h hardware) Create(_ context.Context, id, snapshot string, gib int) error {
	h.lab.mu.Lock()
	from, copied := h.lab.snapshots[snapshot]
	h.lab.mu.Unlock()
	size := int64(gib) << 30
	if copied {
		size = from.size
	}
	v, err := h.lab.volume(id, size)
	if err != nil || !copied {
		return err
	}
	f, err := os.Open(from.file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.NewOffsetWriter(v, 0), f)
	return err
}

func (h hardware) find(volume, instance string) (*Machine, *Volume, error) {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	for _, m := range h.lab.machines {
		for _, v := range h.lab.volumes {
			if m.ID == instance && v.ID == volume {
				return m, v, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("there is no %s or no %s", instance, volume)
}

// Tag tags a volume, as EC2 shows it.
func (l *Lab) Tag(v *Volume, tags map[string]string) {
	known := l.EC2.Volume(v.ID)
	known.Tags = tags
	l.EC2.AddVolume(known)
}

// snapshot is a copy of a volume.
type snapshot struct {
	file string
	size int64
}

// Snapshot copies a volume that is attached to nothing, and tells EC2 of it.
func (l *Lab) Snapshot(v *Volume, tags map[string]string) (id string, err error) {
	id = l.newID("snap")
	s := snapshot{file: l.path(id + ".raw"), size: v.Size()}
	f, err := os.OpenFile(s.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, io.NewSectionReader(v, 0, s.size))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	l.mu.Lock()
	l.snapshots[id] = s
	l.mu.Unlock()
	l.EC2.AddSnapshot(ec2.Snapshot{ID: id, Volume: v.ID, Size: gib(s.size), Tags: tags})
	return id, nil
}

// gib is a size in bytes as EC2 counts it.
func gib(size int64) int { return int((size + 1<<30 - 1) >> 30) }

// services are what the guest reaches in its network, by the address that it
// asks: its metadata service, and AWS, whose services share an address.
func (m *Machine) services() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != awsAddress:
			m.IMDS.ServeHTTP(w, r)
		case awsjson.Service(r) == "s3" && m.lab.startedS3() != nil:
			m.lab.startedS3().ServeHTTP(w, r)
		case awsjson.Has(awsjson.Service(r)):
			m.lab.AWS.ServeHTTP(w, r)
		default:
			m.lab.EC2.ServeHTTP(w, r)
		}
	})
}
