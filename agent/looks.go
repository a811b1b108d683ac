package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bootswain/health"
	"bootswain/health/probe"
	"bootswain/health/vitals"
	"bootswain/internal/situation"
	"bootswain/spec"
)

const (
	unitsEvery       = 15 * time.Second
	unitsLimit       = 10 * time.Second
	certificateEvery = 5 * time.Minute
	renewIt          = "renew it; who renews it by itself says why it did not"
	startGrace       = 2 * time.Minute // what is on its way for so long is no failure
)

// looks are what is looked at beside the machine itself: the room on the places
// that matter, and what the launch data names.
func (d *daemon) looks() []vitals.Look {
	var looks []vitals.Look
	for _, p := range d.places() {
		looks = append(looks, vitals.Room(vitals.This(), p))
	}
	looks = append(looks, d.failedUnits(), d.notices())
	if ids := d.volumeIDs(); d.ec2 != nil && len(ids) > 0 {
		looks = append(looks, d.terminations(ids))
	}
	if !d.asked {
		return looks
	}
	if d.listener.shown {
		looks = append(looks, asked("certificate:listener", "health", certificateEvery, renewIt, ownCertificate))
	}
	for _, unit := range d.orders.spec.Health.Services {
		looks = append(looks, d.service(unit))
	}
	for _, path := range d.orders.spec.Health.Certificates {
		looks = append(looks, asked("certificate:"+path, path, certificateEvery, renewIt, func(_ context.Context, now time.Time) probe.Answer {
			return probe.Certificate(path, now)
		}))
	}
	for _, c := range d.orders.spec.Health.Checks {
		looks = append(looks, d.application(c))
	}
	return append(looks, d.copies()...)
}

// limits are those that the launch data asks for.
func (d *daemon) limits() vitals.Limits {
	if !d.asked {
		return nil
	}
	return d.orders.spec.Health.Limits
}

// places are the file systems whose room is watched: the machine's own, and that
// of each volume that is mounted.
func (d *daemon) places() []vitals.Place {
	places := []vitals.Place{{Path: "/"}}
	for _, name := range d.order {
		if v := d.views[name]; v.mounted() {
			places = append(places, vitals.Place{Path: v.want.Mount, ReadOnly: slices.Contains(v.want.Filesystem.Options, "ro")})
		}
	}
	return places
}

// withVitals adds to a report what the looks have found.
func (d *daemon) withVitals(r health.Report) health.Report {
	seen := d.vitals.Seen()
	r.Checks, r.Numbers.Metrics = append(r.Checks, seen.Checks...), append(r.Numbers.Metrics, seen.Families...)
	return r
}

// quiet makes a check that is said to people only when it does not pass.
func quiet(name, subject string, status health.Status, text, next string, now time.Time) health.Check {
	c := health.Check{Name: name, Status: status, Time: now, Quiet: true}
	c.Sentence = health.Sentence{Word: situation.Ready, Subject: subject, Text: text}
	switch status {
	case health.Warn:
		c.Sentence.Word, c.Sentence.Next = situation.Degraded, next
	case health.Fail:
		c.Sentence.Word, c.Sentence.Next = situation.Failed, next
	}
	return c
}

func one(c health.Check) vitals.Seen { return vitals.Seen{Checks: []health.Check{c}} }

// failedUnits looks for units that have failed. The database's are left out: the
// check mysql says more of it.
func (d *daemon) failedUnits() vitals.Look {
	return vitals.Look{Key: "units", Check: "units", Every: unitsEvery, See: func(ctx context.Context, now time.Time) vitals.Seen {
		ctx, cancel := context.WithTimeout(ctx, unitsLimit)
		defer cancel()
		failed, err := d.units.Failed(ctx)
		if err != nil {
			return vitals.Seen{Nothing: true} // a busy machine's systemd may take its time
		}
		failed = slices.DeleteFunc(failed, func(unit string) bool {
			return slices.Contains([]string{"mariadb.service", "mysql.service", "mysqld.service"}, unit)
		})
		return one(unitsCheck(failed, now))
	}}
}

func unitsCheck(failed []string, now time.Time) health.Check {
	n := float64(len(failed))
	c := quiet("units", "units", health.Pass, "none has failed.", "", now)
	if len(failed) > 0 {
		shown, more := failed, ""
		if len(shown) > 5 {
			shown, more = shown[:5], fmt.Sprintf(" and %d more", len(failed)-5)
		}
		c = quiet("units", "units", health.Warn, strings.Join(shown, ", ")+more+" failed.", "systemctl status "+failed[0]+"; once it is settled: systemctl reset-failed", now)
	}
	c.Value, c.Unit = &n, "units"
	return c
}

// service looks at a unit that has to run.
func (d *daemon) service(unit string) vitals.Look {
	name := "service:" + unit
	return vitals.Look{Key: name, Check: name, Every: unitsEvery, See: func(ctx context.Context, now time.Time) vitals.Seen {
		ctx, cancel := context.WithTimeout(ctx, unitsLimit)
		defer cancel()
		state, err := d.units.State(ctx, unit)
		next := "systemctl status " + unit
		switch {
		case err != nil:
			return vitals.Seen{Nothing: true}
		case !state.Exists():
			return one(quiet(name, unit, health.Fail, "is not on this machine ("+state.Load+").", "install it in the image, or take it out of health.services", now))
		case state.Active == "active" || state.Active == "reloading":
			return one(quiet(name, unit, health.Pass, state.Active+" ("+state.Sub+").", "", now))
		case (state.Queued || state.Active == "activating") && now.Sub(d.began) < startGrace:
			return one(quiet(name, unit, health.Warn, "on its way ("+state.Sub+").", "nothing; goes on by itself", now))
		}
		text := state.Active + " (" + strings.TrimSuffix(state.Sub+", "+state.Result, ", ") + ")."
		return one(quiet(name, unit, health.Fail, text, next, now))
	}}
}

// application asks one how it is.
func (d *daemon) application(c spec.HealthCheck) vitals.Look {
	within := func(ask func(context.Context) probe.Answer) func(context.Context, time.Time) probe.Answer {
		return func(ctx context.Context, _ time.Time) probe.Answer {
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			return ask(ctx)
		}
	}
	name := "app:" + c.Name
	var l vitals.Look
	switch {
	case c.HTTP != "":
		l = asked(name, c.Name, c.Every, "curl -v "+c.HTTP, within(func(ctx context.Context) probe.Answer { return probe.HTTP(ctx, c.HTTP) }))
	case c.TCP != "":
		l = asked(name, c.Name, c.Every, "see who listens: ss -tlnp", within(func(ctx context.Context) probe.Answer { return probe.TCP(ctx, c.TCP) }))
	case c.File != "":
		l = asked(name, c.Name, c.Every, "see why nobody writes "+c.File, func(_ context.Context, now time.Time) probe.Answer {
			return probe.File(c.File, c.MaxAge, now)
		})
	default:
		l = asked(name, c.Name, c.Every, "run it: "+strings.Join(strings.Fields(strings.Join(c.Command, " ")), " "), func(ctx context.Context, _ time.Time) probe.Answer {
			return probe.Command(ctx, d.run, c.Command, c.Timeout)
		})
	}
	l.Key = fmt.Sprintf("%+v", c) // what is asked otherwise is another
	l.See = twice(l.See)
	return l
}

// twice has an application fail when it fails twice in a row; once is a warning.
func twice(see func(context.Context, time.Time) vitals.Seen) func(context.Context, time.Time) vitals.Seen {
	failed := false
	return func(ctx context.Context, now time.Time) vitals.Seen {
		seen := see(ctx, now)
		again := failed
		c := &seen.Checks[0]
		if failed = c.Status == health.Fail; failed && !again {
			c.Status, c.Sentence.Word = health.Warn, situation.Degraded
		}
		return seen
	}
}

// asked is the look of a probe.
func asked(name, subject string, every time.Duration, next string, ask func(context.Context, time.Time) probe.Answer) vitals.Look {
	return vitals.Look{Key: name, Check: name, Every: every, See: func(ctx context.Context, now time.Time) vitals.Seen {
		a := ask(ctx, now)
		c := quiet(name, subject, a.Status, a.Text, next, now)
		c.Value, c.Unit = a.Value, a.Unit
		seen := one(c)
		if len(a.Numbers) > 0 {
			f := health.Family{Name: "bootswain_application", Kind: health.Gauge, Help: "What an application's check told of itself after a |."}
			for n, v := range a.Numbers {
				f.Samples = append(f.Samples, health.Sample{Labels: map[string]string{"check": subject, "name": n}, Value: v})
			}
			seen.Families = append(seen.Families, f)
		}
		return seen
	}}
}
