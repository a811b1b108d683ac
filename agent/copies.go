package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/ebs"
	"bootswain/health"
	"bootswain/health/vitals"
	"bootswain/internal/cloud"
	"bootswain/internal/situation"
)

const (
	// copyNote and "snapshot" or "backup" is the name of an empty file at the top of
	// a volume. Whoever makes a good copy of the volume sets its time of change to
	// the moment whose state the copy has. The note goes where the data go: to the
	// next machine, and back in time with a restored volume.
	copyNote = ".bootswain-"

	copiesEvery    = 30 * time.Second
	noteAhead      = time.Minute      // that a note may be ahead of the clock
	snapshotsEvery = 15 * time.Minute // of questions to EC2
	deniedEvery    = time.Hour        // of those that it refuses: each is a denial in somebody's log
)

// copies are the looks at how old the last good copies of volumes are.
func (d *daemon) copies() (looks []vitals.Look) {
	for _, p := range d.orders.spec.Health.RPO {
		v := d.views[p.Volume]
		if !v.mounted() {
			continue
		}
		var ids []string
		for _, device := range v.state.Devices {
			ids = append(ids, device.VolumeID)
		}
		c := copied{volume: p.Volume, mount: v.want.Mount, began: time.Now()}
		if p.Backup > 0 {
			c.kind, c.within = "backup", p.Backup
			looks = append(looks, c.asLook())
		}
		if p.Snapshot > 0 {
			c.kind, c.within = "snapshot", p.Snapshot
			if d.ec2 != nil {
				c.ec2, c.ids = d.ec2, ids
			}
			looks = append(looks, c.asLook())
		}
	}
	return looks
}

// copied follows the copies of one kind of a volume.
type copied struct {
	kind, volume, mount string
	within              time.Duration // how old the last one may be
	began               time.Time
	ec2                 *ebs.EC2 // is asked for snapshots; nil: nobody is
	ids                 []string // of its EBS volumes

	asked      time.Time // when EC2 answered last, or refused
	unanswered string    // why it does not
	denied     bool      // it refused
	last, made time.Time // the last snapshot and the volume, as EC2 says; zero: unknown
}

func (c copied) asLook() vitals.Look {
	return vitals.Look{Key: fmt.Sprint("copies ", c.kind, c.volume, c.mount, c.within, c.ids), Check: c.kind + ":" + c.volume, Every: copiesEvery, See: c.look}
}

func (c *copied) look(ctx context.Context, now time.Time) vitals.Seen {
	pause := snapshotsEvery
	if c.denied {
		pause = deniedEvery
	}
	if c.ec2 != nil && now.Sub(c.asked) >= pause {
		c.ask(ctx, now)
		if c.asked.IsZero() && now.Sub(c.began) < startGrace {
			return vitals.Seen{Nothing: true}
		}
	}
	last, made, remark := c.last, c.made, c.unanswered
	if born := birth(c.mount); born.After(made) {
		made = born
	}
	switch info, err := os.Stat(c.note()); {
	case err != nil: // there is none
	case info.ModTime().After(now.Add(noteAhead)):
		remark += " Its note is of the future, and not believed."
	case info.ModTime().After(last):
		last = info.ModTime()
	}
	return c.seen(last, made, remark, now)
}

func (c *copied) note() string { return filepath.Join(c.mount, copyNote+c.kind) }

// ask asks EC2.
func (c *copied) ask(ctx context.Context, now time.Time) {
	last, err := c.ec2.LastSnapshot(ctx, c.ids)
	if err != nil {
		f, ok := errors.AsType[*cloud.Failure](err)
		if c.denied = ok && f.Kind == cloud.Denied; c.denied {
			c.asked = now
		}
		if s := situation.Of(err); s != nil {
			c.unanswered = " " + s.Text
		}
		return
	}
	c.asked, c.denied, c.unanswered, c.last = now, false, "", last
	if volumes, err := c.ec2.Volumes(ctx, c.ids); err == nil {
		for _, v := range volumes {
			if v.Created.After(c.made) {
				c.made = v.Created
			}
		}
	}
}

// seen judges the last copy, of a volume that was made then; either may be
// unknown.
func (c *copied) seen(last, made time.Time, remark string, now time.Time) vitals.Seen {
	age, text := max(now.Sub(last), 0), ""
	switch {
	case !last.IsZero():
		text = fmt.Sprintf("the last %s is %s old", c.kind, short(age.Truncate(time.Minute)))
	case !made.IsZero():
		age = now.Sub(made)
		text = fmt.Sprintf("no %s of it is known, and it is %s old itself", c.kind, short(age.Truncate(time.Minute)))
	default:
		age = c.within
		text = fmt.Sprintf("no %s of it is known, nor how old it is itself", c.kind)
	}
	text += fmt.Sprintf("; at most %s is asked for.%s", short(c.within), remark)
	check := vitals.Measured(c.kind, c.volume, 100*age.Seconds()/c.within.Seconds(), text, now)
	check.Sentence.Next = fmt.Sprintf("see why there is no newer one; one that EC2 does not show is noted by: touch -d TIME %s", c.note())
	s := one(check)
	if !last.IsZero() {
		s.Families = []health.Family{{
			Name: "bootswain_" + c.kind + "_timestamp_seconds", Kind: health.Gauge, Help: "Of which moment the last good " + c.kind + " of a volume is, in Unix time.",
			Samples: []health.Sample{{Labels: map[string]string{"volume": c.volume}, Value: float64(last.Unix())}},
		}}
	}
	return s
}

// birth is when the file system that is mounted there was made, which XFS and
// ext4 know of their topmost directory; zero where it is not known.
func birth(mount string) time.Time {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, mount, 0, unix.STATX_BTIME, &st); err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
}
