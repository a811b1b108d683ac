package ebs

import (
	"fmt"
	"strings"
	"testing"

	labec2 "bootswain/lab/ec2"
)

func TestReview(t *testing.T) {
	a := newAccount(t)
	const elsewhere = "eu-central-1b"
	id := func(n int) string { return fmt.Sprintf("vol-%017x", n) }
	for n, v := range []labec2.Volume{
		{Zone: zone, Size: 1, Tags: orders}, {Zone: zone, Size: 1, Tags: orders}, {Zone: elsewhere, Size: 1}, {Zone: zone, Size: 2},
		{Zone: zone, Size: 1, MultiAttach: true}, {Zone: zone, Size: 1, Attachments: []labec2.Attachment{{Instance: "i-0b", Device: "/dev/sdf"}}},
		{Zone: elsewhere, Size: 1, Tags: orders},
	} {
		v.ID = id(n + 1)
		a.AddVolume(v)
	}
	for role := range 2 {
		a.AddSnapshot(labec2.Snapshot{ID: fmt.Sprintf("snap-%d", role), Volume: id(1), Size: 1, Tags: map[string]string{TagSet: "whole", TagRole: fmt.Sprint(role), TagCount: "2"}})
	}
	a.AddSnapshot(labec2.Snapshot{ID: "snap-3", Volume: id(1), Size: 1, Tags: map[string]string{TagSet: "half", TagRole: "0", TagCount: "2"}})
	c := a.instance("i-0a", nil)
	for name, tc := range map[string]struct {
		zone    string
		ids     []string
		tags    map[string]string
		count   int
		restore string
		want    string // remarks, wrong ones with a !
	}{
		"sound":        {zone, []string{id(1), id(2)}, nil, 0, "", ""},
		"any zone":     {"", []string{id(3)}, nil, 0, "", ""},
		"two zones":    {"", []string{id(1), id(3)}, nil, 0, "", "!" + id(3) + " is in eu-central-1b, not in eu-central-1a"},
		"other zone":   {zone, []string{id(3)}, nil, 0, "", "!" + id(3) + " is in eu-central-1b, not in eu-central-1a"},
		"unknown":      {zone, []string{"vol-01234567"}, nil, 0, "", "!vol-01234567: no such volume in this region and account"},
		"sizes":        {zone, []string{id(1), id(4)}, nil, 0, "", "!" + id(4) + " has 2 GiB and " + id(1) + " 1 GiB; volumes of one set are of one size"},
		"multi-attach": {zone, []string{id(5)}, nil, 0, "", "!" + id(5) + " is Multi-Attach: EC2 would let two instances write to it at once"},
		"attached":     {zone, []string{id(6)}, nil, 0, "", id(6) + " is attached at i-0b; another instance waits until that lets it go"},
		"tags":         {zone, nil, orders, 2, "", "!" + id(7) + " is in eu-central-1b, not in eu-central-1a"},
		"tags, too few": {elsewhere, nil, orders, 2, "", "!1 volumes carry the tags set=orders in eu-central-1b; 2 are asked for|" +
			"!" + id(1) + " is in eu-central-1a, not in eu-central-1b|!" + id(2) + " is in eu-central-1a, not in eu-central-1b"},
		"snapshots":       {zone, nil, nil, 0, "whole", ""},
		"half a set":      {zone, nil, nil, 0, "half", "!snapshot set half is not whole: snap-3 says that it is number 1 of 2, and 1 are there; nothing made"},
		"no such set":     {zone, nil, nil, 0, "none", "!no snapshot carries the tag bootswain:set=none"},
		"nothing to look": {zone, []string{}, map[string]string{"no": "one"}, 1, "", "!0 volumes carry the tags no=one in eu-central-1a; 1 are asked for"},
	} {
		c.Zone = tc.zone
		remarks, err := c.Review(t.Context(), tc.ids, tc.tags, tc.count, tc.restore)
		var got []string
		for _, r := range remarks {
			mark := ""
			if r.Wrong {
				mark = "!"
			}
			got = append(got, mark+r.Text)
		}
		if err != nil || strings.Join(got, "|") != tc.want {
			t.Errorf("%s: got %q, %v\nwant %q", name, strings.Join(got, "|"), err, tc.want)
		}
	}
	for _, r := range a.Requests() {
		if !strings.HasPrefix(r.Action, "Describe") {
			t.Errorf("a review asked for %s", r.Action)
		}
	}
}
