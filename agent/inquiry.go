package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bootswain/ebs"
	"bootswain/internal/situation"
	"bootswain/volume"
)

const (
	// askEvery is how often EC2 is asked again about volumes that are missing,
	// and soonEvery how often about what passes within seconds.
	askEvery  = 25 * time.Second
	soonEvery = 3 * time.Second
	// recordEvery is how often it is tried to tag volumes while EC2 is slow.
	recordEvery = 10 * time.Minute
)

// inquiry is what a keeper has asked EC2. Asking goes on beside the keeper's
// passes: an EC2 that does not answer holds nothing up.
type inquiry struct {
	mu       sync.Mutex
	asking   bool
	askedAt  time.Time
	answered bool
	chosen   choice
	err      error
	since    map[string]time.Time // since when each volume is missing
	recorded string               // the set whose tags were written, or cannot be
	recordAt time.Time            // when to try that again
	note     string               // why volumes could not be tagged
}

// answer returns the last answer; known is false before the first where nothing
// can be done without one.
func (k *keeper) answer() (chosen choice, known bool, err error) {
	q := &k.inquiry
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.answered && !needsEC2(k.want.EBS) {
		return choice{want: k.want}, true, nil
	}
	return q.chosen.said(q.since), q.answered, q.err
}

// said puts it in words where volumes are that are missing, and since when.
func (c choice) said(since map[string]time.Time) choice {
	absent := map[string]ebs.Place{}
	for id, place := range c.absent {
		place.Words = fmt.Sprintf("missing%s (EC2: %s)", age(since[id]), place.Words)
		absent[id] = place
	}
	c.absent = absent
	return c
}

// age is how long ago something began, as people say it; nothing for less than a
// minute, or if nobody knows.
func age(since time.Time) string {
	d := time.Since(since)
	switch {
	case since.IsZero() || d < time.Minute:
		return ""
	case d < 2*time.Hour:
		return fmt.Sprintf(" %dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf(" %dh", d/time.Hour)
	}
	return fmt.Sprintf(" %dd", d/(24*time.Hour))
}

// ask asks EC2 in the background, unless that was done a moment ago, and wakes
// the keeper with the answer.
func (k *keeper) ask(ctx context.Context) {
	q := &k.inquiry
	q.mu.Lock()
	defer q.mu.Unlock()
	pause := askEvery
	if errors.Is(q.err, ebs.ErrSoon) {
		pause = soonEvery - time.Second
	}
	if q.asking || k.ec2 == nil && !needsEC2(k.want.EBS) || q.answered && time.Since(q.askedAt) < pause {
		return
	}
	q.asking = true
	k.beside.Go(func() {
		// With a lock of its own, so that what a person detaches is not attached again.
		release, err := k.ec2Lock(k.want.Name).take(ctx, nil)
		if err != nil {
			return
		}
		defer release()
		if isDown(k.want.Name) {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.asking = false
			return
		}
		chosen, err := k.choose(ctx, k.ec2, k.want, true)
		q.take(chosen, err)
		k.wake()
	})
}

// take notes an answer.
func (q *inquiry) take(chosen choice, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	since := map[string]time.Time{}
	for id := range chosen.absent {
		if since[id] = q.since[id]; since[id].IsZero() {
			since[id] = time.Now()
		}
	}
	q.asking, q.answered, q.askedAt, q.chosen, q.err, q.since = false, true, time.Now(), chosen, err, since
}

// record has the tags of a volume that is up tell which set it is, in the
// background. That is a help to people and never a condition: where it is not
// allowed, status says so.
func (k *keeper) record(ctx context.Context, s volume.State) {
	q := &k.inquiry
	q.mu.Lock()
	defer q.mu.Unlock()
	set, ids := s.Set()
	if k.ec2 == nil || set == "" || set == q.recorded || q.asking || time.Now().Before(q.recordAt) {
		return
	}
	q.asking = true
	k.beside.Go(func() {
		err := k.ec2.Record(ctx, set, ids)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.asking, q.note = false, ""
		switch {
		case err == nil || errors.Is(err, ebs.ErrNoRole):
			q.recorded = set
		case errors.Is(err, ebs.ErrUnsure):
			q.recordAt = time.Now().Add(recordEvery)
		default:
			q.recorded, q.note = set, "Its volumes could not be tagged: "+situation.Of(err).Text
			k.wake()
		}
	})
}
