package agent

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"bootswain/ebs"
	"bootswain/health"
	"bootswain/health/vitals"
	"bootswain/internal/run"
	"bootswain/launch"
	"bootswain/spec"
)

func expectCheck(t *testing.T, c health.Check, status health.Status, text string) {
	t.Helper()
	if got := c.Sentence.Situation().Error(); c.Status != status || got != text {
		t.Errorf("%s: %s %q, want %s %q", c.Name, c.Status, got, status, text)
	}
	if c.Status != health.Pass && c.Sentence.Next == "" || !c.Quiet || c.Time.IsZero() {
		t.Errorf("%s: %+v", c.Name, c)
	}
}

func TestUnitsCheck(t *testing.T) {
	now := time.Now()
	expectCheck(t, unitsCheck(nil, now), health.Pass, "READY units: none has failed.")
	expectCheck(t, unitsCheck([]string{"a.service"}, now), health.Warn, "DEGRADED units: a.service failed.")
	expectCheck(t, unitsCheck(strings.Fields("a b c d e f g"), now), health.Warn, "DEGRADED units: a, b, c, d, e and 2 more failed.")
}

func TestNoticesCheck(t *testing.T) {
	now := time.Now()
	expectCheck(t, noticesCheck(nil, now), health.Pass, "READY instance: EC2 announces nothing.")
	expectCheck(t, noticesCheck([]launch.Notice{{What: "instance-retirement", Text: "the host fails", At: time.Unix(0, 0)}, {What: "rebalance"}}, now),
		health.Warn, "DEGRADED instance: EC2 announces instance-retirement: the host fails, not before 1970-01-01T00:00:00Z; EC2 announces rebalance.")
}

func TestTerminationCheck(t *testing.T) {
	now := time.Now()
	kept := ebs.Volume{ID: "vol-1", Attachments: []ebs.Attachment{{}}}
	expectCheck(t, terminationCheck([]ebs.Volume{kept}, now), health.Pass, "READY volumes: none is deleted with the instance.")
	expectCheck(t, terminationCheck([]ebs.Volume{kept, {ID: "vol-2", Attachments: []ebs.Attachment{{Ends: true}}}}, now),
		health.Warn, "DEGRADED volumes: vol-2: EC2 deletes it when it terminates the instance.")
}

// tells is a runner whose programs say one thing.
type tells string

func (s tells) Run(context.Context, run.Cmd) ([]byte, error) { return []byte(s), nil }

func TestApplication(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{Agent: &Agent{run: tells("3 jobs wait | jobs=3")}}
	see := func(c spec.HealthCheck) vitals.Seen {
		c.Name, c.Timeout = "x", time.Second
		l := d.application(c)
		if once := l.See(t.Context(), time.Now()).Checks[0]; once.Status == health.Fail {
			t.Errorf("%+v fails at once", c)
		}
		return l.See(t.Context(), time.Now())
	}
	expectCheck(t, see(spec.HealthCheck{TCP: l.Addr().String()}).Checks[0], health.Pass, "READY x: lets in.")
	l.Close()
	at := l.Addr().String()
	expectCheck(t, see(spec.HealthCheck{TCP: at}).Checks[0], health.Fail, "FAILED x: lets nobody in: dial tcp "+at+": connect: connection refused.")
	expectCheck(t, see(spec.HealthCheck{HTTP: "http://" + at}).Checks[0], health.Fail, "FAILED x: does not answer: Get \"http://"+at+"\": dial tcp "+at+": connect: connection refused.")
	expectCheck(t, see(spec.HealthCheck{File: "/nonexistent", MaxAge: time.Hour}).Checks[0], health.Fail, "FAILED x: cannot be seen: stat /nonexistent: no such file or directory.")
	seen := see(spec.HealthCheck{Command: []string{"/bin/x"}})
	expectCheck(t, seen.Checks[0], health.Pass, "READY x: 3 jobs wait.")
	if len(seen.Families) != 1 || seen.Families[0].Samples[0].Value != 3 {
		t.Errorf("numbers %+v", seen.Families)
	}
	if a, b := d.application(spec.HealthCheck{Name: "x", TCP: "a:1"}), d.application(spec.HealthCheck{Name: "x", TCP: "a:2"}); a.Key == b.Key {
		t.Error("a check that is asked otherwise goes on as it was")
	}
}

// TestLooks: what is looked at follows what there is and what is asked for.
func TestLooks(t *testing.T) {
	d := &daemon{Agent: &Agent{}, order: []string{"data"}, views: map[string]view{"data": upView()}}
	d.orders.spec = &spec.Spec{Health: spec.Health{
		Services: []string{"nginx.service"}, Certificates: []string{"/x.pem"}, Checks: []spec.HealthCheck{{Name: "app", TCP: "a:1"}},
		RPO: []spec.RPO{{Volume: "data", Backup: time.Hour, Snapshot: time.Hour}, {Volume: "down", Backup: time.Hour}},
	}}
	looks := func() string {
		var names []string
		for _, l := range d.looks() {
			names = append(names, l.Check)
		}
		return strings.Join(names, " ")
	}
	d.asked = true
	if got, want := looks(), "space:/ space:/srv/data units notices service:nginx.service certificate:/x.pem app:app backup:data snapshot:data"; got != want {
		t.Errorf("looks at %s, want %s", got, want)
	}
	d = &daemon{Agent: &Agent{}}
	if got, want := looks(), "space:/ units notices"; got != want {
		t.Errorf("before the launch data is read: looks at %s, want %s", got, want)
	}
}
