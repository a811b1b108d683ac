package agent

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/health/vitals"
	cloudlab "bootswain/lab/ec2"
)

// TestCopies: a copy that is too old, or none of a volume that is old, fails.
func TestCopies(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	ago := func(hours float64) time.Time { return now.Add(-time.Duration(hours * float64(time.Hour))) }
	c := copied{kind: "backup", volume: "data", mount: "/srv/data", within: 24 * time.Hour}
	var none time.Time
	for _, tt := range []struct {
		last, made time.Time
		want       string
	}{
		{ago(3), none, "pass READY data: the last backup is 3h old; at most 24h is asked for."},
		{ago(22.5), none, "warn DEGRADED data: the last backup is 22h30m old; at most 24h is asked for."},
		{ago(24), ago(1), "fail FAILED data: the last backup is 24h old; at most 24h is asked for."},
		{none, ago(1), "pass READY data: no backup of it is known, and it is 1h old itself; at most 24h is asked for."},
		{none, ago(23), "warn DEGRADED data: no backup of it is known, and it is 23h old itself; at most 24h is asked for."},
		{none, ago(240), "fail FAILED data: no backup of it is known, and it is 240h old itself; at most 24h is asked for."},
		{none, none, "fail FAILED data: no backup of it is known, nor how old it is itself; at most 24h is asked for."},
	} {
		seen := c.seen(tt.last, tt.made, "", now)
		vitals.Limits(nil).Judge(seen.Checks)
		got := seen.Checks[0]
		if said := string(got.Status) + " " + got.Sentence.Situation().Error(); said != tt.want {
			t.Errorf("got %q, want %q", said, tt.want)
		}
		if got.Status != health.Pass && got.Sentence.Next != "see why there is no newer one; one that EC2 does not show is noted by: touch -d TIME /srv/data/.bootswain-backup" {
			t.Errorf("next: %q", got.Sentence.Next)
		}
		if n := len(seen.Families); (n == 1) == tt.last.IsZero() {
			t.Errorf("%d families", n)
		}
	}
}

// TestCopyNotes: the note on a volume counts, and so does what EC2 says; the newer
// of the two. The note may not be of the future.
func TestCopyNotes(t *testing.T) {
	now := time.Now()
	c := copied{kind: "backup", volume: "data", mount: t.TempDir(), within: 24 * time.Hour, last: now.Add(-30 * time.Hour)}
	expect := func(want string) {
		t.Helper()
		if got := c.look(t.Context(), now).Checks[0].Sentence.Text; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("the last backup is 30h old; at most 24h is asked for.")
	note := filepath.Join(c.mount, ".bootswain-backup")
	if err := os.WriteFile(note, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for hours, want := range map[int]string{
		2:  "the last backup is 2h old; at most 24h is asked for.",
		40: "the last backup is 30h old; at most 24h is asked for.",
		-2: "the last backup is 30h old; at most 24h is asked for. Its note is of the future, and not believed.",
	} {
		at := now.Add(-time.Duration(hours) * time.Hour)
		if err := os.Chtimes(note, at, at); err != nil {
			t.Fatal(err)
		}
		expect(want)
	}
	if born := birth(c.mount); !born.IsZero() && now.Sub(born) > time.Minute {
		t.Errorf("a new directory is of %v", born)
	}
}

// TestSnapshotsAsked: EC2 is asked every quarter of an hour. Its silence is waited
// for while the machine starts; its refusal is not, and an hour later it is asked again.
func TestSnapshotsAsked(t *testing.T) {
	w := newWorld(t)
	const id = "vol-0a22"
	w.blank(id)
	now := time.Now()
	look := func(c *copied, after time.Duration) string {
		seen := c.look(t.Context(), now.Add(after))
		if seen.Nothing {
			return "nothing"
		}
		return seen.Checks[0].Sentence.Text
	}
	expect := func(c *copied, after time.Duration, want string) {
		t.Helper()
		if got := look(c, after); got != want {
			t.Errorf("after %s: got %q, want %q", after, got, want)
		}
	}
	about := func() *copied {
		return &copied{kind: "snapshot", volume: "data", mount: "/nonexistent", within: time.Hour, began: now, ec2: w.account(), ids: []string{id}}
	}
	w.ec2.SetFault(cloudlab.Fault{Denied: []string{"*"}})
	c := about()
	const denied = "no snapshot of it is known, nor how old it is itself; at most 1h is asked for. EC2 denied DescribeSnapshots to role db-prod (UnauthorizedOperation)."
	expect(c, 0, denied)
	w.ec2.SetFault(cloudlab.Fault{})
	expect(c, deniedEvery-time.Second, denied)
	expect(c, deniedEvery, "no snapshot of it is known, and it is 1h old itself; at most 1h is asked for.")

	c = about()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if seen := c.look(gone, now); !seen.Nothing {
		t.Errorf("EC2 did not answer: %+v", seen)
	}
	expect(c, 0, "no snapshot of it is known, and it is 0s old itself; at most 1h is asked for.")
	w.ec2.AddSnapshot(cloudlab.Snapshot{ID: "snap-1", Volume: id, Size: 1, Started: now.Add(-10 * time.Minute)})
	expect(c, snapshotsEvery-time.Second, "no snapshot of it is known, and it is 14m old itself; at most 1h is asked for.")
	expect(c, snapshotsEvery, "the last snapshot is 25m old; at most 1h is asked for.")
	w.ec2.SetFault(cloudlab.Fault{Denied: []string{"*"}})
	expect(c, 2*snapshotsEvery, "the last snapshot is 40m old; at most 1h is asked for. EC2 denied DescribeSnapshots to role db-prod (UnauthorizedOperation).")
}
