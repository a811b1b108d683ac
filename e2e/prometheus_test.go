package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bootswain/lab"
	"bootswain/lab/prometheus"
)

// TestPrometheus: Debian's Prometheus, with the alert rules that are shipped as they
// are, asks a machine. One of its volumes is pulled and comes back, another one
// becomes three times as slow and quick again.
func TestPrometheus(t *testing.T) {
	b := open(t)
	v := b.volumes(2, 64<<20)
	stanza := func(name string, v *lab.Volume) string {
		return fmt.Sprintf("  %s:\n    ebs: {ids: [%s]}\n    create: if_blank\n    encryption: none\n    filesystem: {type: ext4}\n    mount: /srv/%[1]s\n", name, v)
	}
	m := b.start(lab.MachineOptions{
		Append: noDatabase, Volumes: v, UserData: b.document(stanza("steady", v[0])+stanza("pulled", v[1]), ""),
	})
	b.ready(m)
	w := b.scraped(m)
	steady := b.steady(m, "steady", v[0])

	failed := []string{"alertname", "BootswainFails", "check", "volume:pulled"}
	must(b, m.Pull(b.ctx, v[1]))
	learnt := steady.watch(1)
	w.fires("volume:pulled fails", failed...)
	must(b, m.Attach(b.ctx, v[1]))
	w.resolves(failed...)
	steady.knows(learnt)
	steady.slowed(w)
}

// scrapes is a Prometheus that asks one machine.
type scrapes struct {
	*bench
	m      *lab.Machine
	server prometheus.Server
}

// scraped has Prometheus ask a machine from now on, whose numbers are as promtool
// wants them.
func (b *bench) scraped(m *lab.Machine) *scrapes {
	b.Helper()
	code, body, err := m.HTTP(b.ctx, "/metrics")
	must(b, err)
	if code != 200 {
		b.Fatalf("/metrics: %d\n%s", code, body)
	}
	if err := prometheus.Lint(b.ctx, body); err != nil {
		b.Errorf("/metrics: %v", err)
	}
	server, err := b.lab.Prometheus(b.ctx, "../packaging/prometheus/alerts.yml", map[string]string{m.ID: m.Addr(lab.HealthPort)})
	must(b, err)
	w := &scrapes{b, m, server}
	w.await("the first scrape", `up{job="bootswain"} == 1`)
	return w
}

// await waits until an expression selects something.
func (w *scrapes) await(what, expression string) float64 {
	w.Helper()
	var values []float64
	must(w, lab.WaitFor(w.ctx, what, func(ctx context.Context) (err error) {
		values, err = w.server.Query(ctx, expression)
		if err == nil && len(values) == 0 {
			err = errors.New("nothing is so")
		}
		return err
	}))
	return values[0]
}

// fires waits until an alert of the machine with these labels, names and values in
// turn, fires, and has a summary with this text behind the machine's name.
func (w *scrapes) fires(summary string, labels ...string) {
	w.Helper()
	w.alert(true, labels, func(a prometheus.Alert) {
		if got, want := a.Annotations["summary"], w.m.ID+": "+summary; got != want {
			w.Errorf("%s: summary %q, want %q", labels, got, want)
		}
		w.step("Prometheus: %s fires: %s", labels[1], a.Annotations["summary"])
	})
}

// resolves waits until no such alert fires.
func (w *scrapes) resolves(labels ...string) {
	w.Helper()
	w.alert(false, labels, nil)
	w.step("Prometheus: resolved: %s", strings.Join(labels, " "))
}

func (w *scrapes) alert(want bool, labels []string, found func(prometheus.Alert)) {
	w.Helper()
	must(w, lab.WaitFor(w.ctx, fmt.Sprintf("an alert that fires, %v: %s", want, labels), func(ctx context.Context) error {
		alerts, err := w.server.Alerts(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(alerts, func(a prometheus.Alert) bool {
			for n := 0; n < len(labels); n += 2 {
				if a.Labels[labels[n]] != labels[n+1] {
					return false
				}
			}
			return a.State == "firing" && a.Labels["instance"] == w.m.ID
		})
		if is := i >= 0; is != want {
			return fmt.Errorf("alerts: %v", alerts)
		}
		if want {
			found(alerts[i])
		}
		return nil
	}))
}
