package ebs

import (
	"fmt"
	"testing"
	"time"

	labec2 "bootswain/lab/ec2"
)

func TestLastSnapshot(t *testing.T) {
	a := newAccount(t)
	c := a.instance("i-0a", nil)
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	made := 0
	add := func(volume, set string, hours int, pending bool) {
		made++
		s := labec2.Snapshot{ID: fmt.Sprintf("snap-%d", made), Volume: volume, Started: noon.Add(time.Duration(hours) * time.Hour), Pending: pending}
		if set != "" {
			s.Tags = map[string]string{TagSet: set}
		}
		a.AddSnapshot(s)
	}
	expect := func(hours int, ids ...string) {
		t.Helper()
		want := noon.Add(time.Duration(hours) * time.Hour)
		if hours == 0 {
			want = time.Time{}
		}
		if got, err := c.LastSnapshot(t.Context(), ids); err != nil || !got.Equal(want) {
			t.Errorf("of %v: %v, %v, want %v", ids, got, err, want)
		}
	}
	expect(0, "vol-1")
	add("vol-1", "", 1, false)
	add("vol-1", "a", 3, false)
	add("vol-1", "", 2, false)
	add("vol-1", "", 4, true)
	add("vol-9", "", 5, false)
	expect(3, "vol-1")
	expect(0, "vol-1", "vol-2")
	add("vol-2", "", 3, false) // of no set: perhaps of another moment
	expect(0, "vol-1", "vol-2")
	add("vol-2", "a", 4, false)
	expect(3, "vol-1", "vol-2")
	add("vol-1", "b", 6, false)
	add("vol-1", "b", 7, false)
	add("vol-2", "b", 7, true)
	expect(3, "vol-1", "vol-2")
}
