package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bootswain/ebs"
	"bootswain/health"
	"bootswain/health/vitals"
	"bootswain/internal/cloud"
	"bootswain/launch"
)

const (
	noticesEvery      = time.Minute // Spot gives two minutes
	terminationsEvery = 15 * time.Minute
)

// notices looks at what EC2 announces to do to the instance. Where nobody answers
// it says nothing: launch data that cannot be read is told of elsewhere, and a
// machine need not be on EC2.
func (d *daemon) notices() vitals.Look {
	source := d.source()
	return vitals.Look{Key: "notices", Check: "notices", Every: noticesEvery, See: func(ctx context.Context, now time.Time) vitals.Seen {
		list, err := launch.Notices(ctx, source)
		if err != nil || source.File+source.NoCloud != "" {
			return vitals.Seen{}
		}
		return one(noticesCheck(list, now))
	}}
}

func noticesCheck(list []launch.Notice, now time.Time) health.Check {
	if len(list) == 0 {
		return quiet("notices", "instance", health.Pass, "EC2 announces nothing.", "", now)
	}
	var said []string
	for _, n := range list {
		text := strings.TrimSuffix("EC2 announces "+n.What+": "+n.Text, ": ")
		if !n.At.IsZero() {
			text += ", not before " + n.At.UTC().Format(time.RFC3339)
		}
		said = append(said, text)
	}
	return quiet("notices", "instance", health.Warn, strings.Join(said, "; ")+".", "launch its replacement; its volumes go with it: bootswain down NAME --ec2", now)
}

// volumeIDs are the EBS volumes of all views, in order.
func (d *daemon) volumeIDs() (ids []string) {
	for _, v := range d.views {
		if v.want.InstanceStore != 0 {
			continue
		}
		for _, device := range v.state.Devices {
			ids = append(ids, device.VolumeID)
		}
	}
	slices.Sort(ids)
	return ids
}

// terminations looks for volumes that EC2 deletes with the instance. A role that
// may not ask is not tried again: each time would be a denial in somebody's log.
func (d *daemon) terminations(ids []string) vitals.Look {
	ec2, denied := d.ec2, false
	return vitals.Look{Key: "terminations " + strings.Join(ids, " "), Check: "termination", Every: terminationsEvery, See: func(ctx context.Context, now time.Time) vitals.Seen {
		if denied {
			return vitals.Seen{}
		}
		volumes, err := ec2.Volumes(ctx, ids)
		if err != nil {
			f, ok := errors.AsType[*cloud.Failure](err)
			denied = ok && f.Kind == cloud.Denied
			return vitals.Seen{}
		}
		return one(terminationCheck(volumes, now))
	}}
}

func terminationCheck(volumes []ebs.Volume, now time.Time) health.Check {
	var ends []string
	for _, v := range volumes {
		if slices.ContainsFunc(v.Attachments, func(a ebs.Attachment) bool { return a.Ends }) {
			ends = append(ends, v.ID)
		}
	}
	if len(ends) == 0 {
		return quiet("termination", "volumes", health.Pass, "none is deleted with the instance.", "", now)
	}
	return quiet("termination", "volumes", health.Warn, strings.Join(ends, ", ")+": EC2 deletes it when it terminates the instance.",
		"set DeleteOnTermination to false: aws ec2 modify-instance-attribute --block-device-mappings", now)
}
