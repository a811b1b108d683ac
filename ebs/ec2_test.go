package ebs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"

	"bootswain/internal/cloud"
	"bootswain/internal/situation"
	labec2 "bootswain/lab/ec2"
	labimds "bootswain/lab/imds"
)

const zone = "eu-central-1a"

// account is EC2 in this process, asked over HTTP with the SDK.
type account struct {
	*labec2.Server
	t   *testing.T
	web *httptest.Server
}

func newAccount(t *testing.T) account {
	s := labec2.New(nil)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return account{s, t, web}
}

// instance starts an instance and returns EC2 as it sees it.
func (a account) instance(id string, through http.RoundTripper) *EC2 {
	a.SetInstance(labec2.Instance{ID: id, Zone: zone})
	return Connect(&cloud.Account{Config: aws.Config{
		Region: "eu-central-1", BaseEndpoint: aws.String(a.web.URL), Logger: logging.Nop{}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient:  &http.Client{Transport: through},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return a.keys(id), nil }),
	}}, zone, id)
}

func (a account) keys(id string) aws.Credentials {
	c := a.Credentials(id, "db-prod")
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.Token}
}

var orders = map[string]string{"set": "orders"}

// set makes n volumes that carry the tags of the story.
func (a account) set(n int) (ids []string) {
	for i := range n {
		id := fmt.Sprintf("vol-%017x", i+1)
		a.AddVolume(labec2.Volume{ID: id, Zone: zone, Size: 1, Tags: orders})
		ids = append(ids, id)
	}
	return ids
}

// holders says who has each volume.
func (a account) holders(ids []string) (who []string) {
	for _, id := range ids {
		var at []string
		for _, h := range a.Volume(id).Attachments {
			if h.State != "detaching" {
				at = append(at, h.Instance)
			}
		}
		who = append(who, strings.Join(at, "+"))
	}
	return who
}

// take is what the agent does at each try.
func take(ctx context.Context, c *EC2, count int) error {
	set, err := c.Find(ctx, orders, count)
	if err != nil {
		return err
	}
	return c.Claim(ctx, set)
}

func sentence(t *testing.T, err error) string {
	t.Helper()
	s := situation.Of(err)
	if s == nil {
		t.Fatalf("%v is no situation", err)
	}
	if s.Next == "" {
		t.Errorf("%s has no next step", s)
	}
	return string(s.Word) + " " + s.Text
}

func TestClaim(t *testing.T) {
	a := newAccount(t)
	a.SetFault(labec2.Fault{Page: 2})
	ids := a.set(5)
	a.AddVolume(labec2.Volume{ID: "vol-0ffffffffffffffff", Zone: zone, Size: 1, Tags: map[string]string{"set": "ordersx"}})
	c := a.instance("i-0a", nil)
	a.AddVolume(labec2.Volume{ID: "vol-00000000000000099", Zone: zone, Size: 1, Attachments: []labec2.Attachment{{Instance: "i-0a", Device: "xvdf"}}})
	for range 2 { // the second finds all done
		if err := take(t.Context(), c, 5); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(a.holders(ids)); got != "[i-0a i-0a i-0a i-0a i-0a]" {
			t.Fatalf("attached to %s", got)
		}
	}
	if got := a.Volume(ids[0]).Attachments[0].Device; got != "/dev/sdg" {
		t.Errorf("first device name is %s; /dev/sdf is in use", got)
	}
}

func TestClaimWords(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(a account, ids []string)
		want    string
	}{
		{"too few", func(a account, ids []string) { a.RemoveVolume(ids[0]) }, "WAITING 1 of 2 volumes with tags set=orders exist."},
		{"another zone", func(a account, ids []string) {
			a.AddVolume(labec2.Volume{ID: ids[1], Zone: "eu-central-1b", Tags: orders})
		},
			"WAITING 1 of 2 volumes with tags set=orders are in eu-central-1a, where this instance is; vol-00000000000000002 is in eu-central-1b."},
		{"too many", func(a account, _ []string) { a.set(3) },
			"REFUSED 3 volumes carry the tags set=orders, and 2 are asked for: vol-00000000000000001, vol-00000000000000002, vol-00000000000000003; nothing attached."},
		{"Multi-Attach", func(a account, ids []string) {
			a.AddVolume(labec2.Volume{ID: ids[1], Zone: zone, Tags: orders, MultiAttach: true})
		},
			"REFUSED vol-00000000000000002 is Multi-Attach: EC2 would let two instances write to it at once; not attached."},
		{"throttled", func(a account, _ []string) { a.SetFault(labec2.Fault{Throttle: []string{"*"}}) }, "WAITING EC2 throttles DescribeVolumes (RequestLimitExceeded)."},
		{"denied", func(a account, _ []string) { a.SetFault(labec2.Fault{Denied: []string{"AttachVolume"}}) }, "WAITING EC2 denied AttachVolume to role db-prod (UnauthorizedOperation)."},
		{"slow", func(a account, _ []string) { a.SetFault(labec2.Fault{Silent: true}) }, "WAITING EC2 did not answer DescribeVolumes in 0 s."},
		{"hangs up", func(a account, _ []string) { a.SetFault(labec2.Fault{Refuse: true}) }, "WAITING EC2 gave no usable answer to DescribeVolumes: EOF."},
		{"not there", func(a account, _ []string) { a.web.Close() }, "WAITING EC2 cannot be reached for DescribeVolumes: connection refused."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccount(t)
			ids := a.set(2)
			c := a.instance("i-0a", nil)
			if tt.name == "slow" {
				c.account = c.account.Bounded(50 * time.Millisecond)
			}
			tt.prepare(a, ids)
			if got := sentence(t, take(t.Context(), c, 2)); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if got := strings.Join(a.holders(ids), ""); got != "" {
				t.Errorf("attached to %s", got)
			}
		})
	}
}

// TestNotByChance: what is attached here is the set, whatever else carries its
// tags.
func TestNotByChance(t *testing.T) {
	a := newAccount(t)
	a.set(2)
	c := a.instance("i-0a", nil)
	if err := take(t.Context(), c, 2); err != nil {
		t.Fatal(err)
	}
	a.AddVolume(labec2.Volume{ID: "vol-00000000000000000", Zone: zone, Tags: orders})
	set, err := c.Find(t.Context(), orders, 2)
	if err != nil || fmt.Sprint(ids(set)) != "[vol-00000000000000001 vol-00000000000000002]" {
		t.Errorf("%v, %v", ids(set), err)
	}
}

// TestThrottledMidway: what was taken is kept while nobody knows better, and
// given back once somebody else has the rest.
func TestThrottledMidway(t *testing.T) {
	a := newAccount(t)
	vols := a.set(3)
	c := a.instance("i-0a", nil)
	set, err := c.Find(t.Context(), orders, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Claim(t.Context(), set[:1]); err != nil {
		t.Fatal(err)
	}
	c.mark(vols[0], true) // as if the set's second request had not been answered
	a.SetFault(labec2.Fault{Throttle: []string{"AttachVolume"}})
	if got := sentence(t, take(t.Context(), c, 3)); got != "WAITING EC2 throttles AttachVolume (RequestLimitExceeded)." {
		t.Error(got)
	}
	if got := fmt.Sprint(a.holders(vols)); got != "[i-0a  ]" {
		t.Errorf("throttled: attached to %s", got)
	}
	a.SetFault(labec2.Fault{})
	a.AddVolume(labec2.Volume{ID: vols[2], Zone: zone, Tags: orders, Attachments: []labec2.Attachment{{Instance: "i-0b", Device: "/dev/sdf"}}})
	if err := take(t.Context(), c, 3); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(a.holders(vols)); got != "[  i-0b]" {
		t.Errorf("lost: attached to %s", got)
	}
}

func TestWhere(t *testing.T) {
	a := newAccount(t)
	c := a.instance("i-0a", nil)
	a.SetInstance(labec2.Instance{ID: "i-0old", Zone: zone, State: "shutting-down"})
	at := func(i, state string) []labec2.Attachment {
		return []labec2.Attachment{{Instance: i, Device: "/dev/sdf", State: state}}
	}
	for _, v := range []labec2.Volume{
		{ID: "vol-1", Zone: zone, Attachments: at("i-0old", "attached")},
		{ID: "vol-2", Zone: zone, Attachments: at("i-0old", "detaching")},
		{ID: "vol-3", Zone: zone},
		{ID: "vol-4", Zone: "eu-central-1b"},
		{ID: "vol-5", Zone: zone, Attachments: at("i-0a", "attaching")},
		{ID: "vol-6", Zone: zone, Attachments: at("i-0a", "attached")},
		{ID: "vol-7", Zone: zone, Attachments: at("i-0gone", "attached"), MultiAttach: true},
	} {
		a.AddVolume(v)
	}
	got, err := c.Where(t.Context(), []string{"vol-1", "vol-2", "vol-3", "vol-4", "vol-5", "vol-6", "vol-7", "vol-8"})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]Place{
		"vol-1": {"attached to i-0old, shutting-down", true}, "vol-2": {"detaching at i-0old, shutting-down", true}, "vol-3": {"available", false},
		"vol-4": {"available, in eu-central-1b while this instance is in eu-central-1a", false}, "vol-5": {"attaching here", true},
		"vol-6": {"attached here as /dev/sdf, but the kernel does not show it", false}, "vol-7": {"attached to i-0gone, Multi-Attach", false}, "vol-8": {"no such volume", false},
	} {
		if got[id] != want {
			t.Errorf("%s: %+v, want %+v", id, got[id], want)
		}
	}
}

func TestRestore(t *testing.T) {
	a := newAccount(t)
	c := a.instance("i-0a", nil)
	const set = "orders-db/2026-11-21T03:00Z"
	add := func(id, role, count string) {
		a.AddSnapshot(labec2.Snapshot{ID: id, Size: 4, Tags: map[string]string{TagSet: set, TagRole: role, TagCount: count}})
	}
	_, err := c.Restore(t.Context(), set)
	if got := sentence(t, err); got != "WAITING no snapshot carries the tag bootswain:set="+set+"." {
		t.Error(got)
	}
	add("snap-2", "1", "2")
	_, err = c.Restore(t.Context(), set)
	if got := sentence(t, err); got != "REFUSED snapshot set "+set+" is not whole: snap-2 says that it is number 2 of 2, and 1 are there; nothing made." {
		t.Error(got)
	}
	add("snap-1", "0", "2")
	var first string
	for boot := range 3 { // the second machine is rebooted; the third asks when tags cannot be seen yet
		if _, err = c.Restore(t.Context(), set); boot == 0 && !errors.Is(err, ErrSoon) {
			t.Fatalf("right after it was asked for: %v", err)
		}
		for err != nil {
			if _, err = c.Restore(t.Context(), set); err != nil && !errors.Is(err, ErrSoon) {
				t.Fatal(err)
			}
		}
		made, of, err := c.restored(t.Context(), set)
		if err != nil || of != 2 || len(made) != 2 || made[0].Snapshot != "snap-1" || made[1].Snapshot != "snap-2" {
			t.Fatalf("%+v, %d, %v", made, of, err)
		}
		if got := fmt.Sprint(ids(made)); boot == 0 {
			first = got
		} else if got != first {
			t.Errorf("boot %d has %s, the first %s", boot, got, first)
		}
		if err := c.Claim(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		c = a.instance("i-0a", nil)
	}
	// The client token alone keeps a second volume from being made.
	if err := c.make(t.Context(), set, nil); !errors.Is(err, ErrSoon) {
		t.Fatal(err)
	}
	if made, err := c.Restored(t.Context(), set); err != nil || fmt.Sprint(ids(made)) != first {
		t.Errorf("asked twice: %v, %v, not %s", ids(made), err, first)
	}
	other := a.instance("i-0b", nil)
	if made, of, err := other.restored(t.Context(), set); err != nil || of != 0 || made != nil {
		t.Errorf("another instance has %v of %d, %v", made, of, err)
	}
}

func TestRecordAndDetach(t *testing.T) {
	a := newAccount(t)
	vols := a.set(2)
	c := a.instance("i-0a", nil)
	if err := take(t.Context(), c, 2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Record(t.Context(), "5e1f", []string{vols[1], vols[0]}); err != nil {
			t.Fatal(err)
		}
	}
	if tags := a.Volume(vols[1]).Tags; tags[TagSet] != "5e1f" || tags[TagRole] != "0" || tags[TagCount] != "2" || tags["set"] != "orders" {
		t.Errorf("tags are %v", tags)
	}
	written := 0
	for _, r := range a.Requests() {
		if r.Action == "CreateTags" {
			written++
		}
	}
	if written != 2 {
		t.Errorf("tags were written %d times, want once a volume", written)
	}
	for range 2 {
		if err := c.Detach(t.Context(), vols); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(a.holders(vols), ""); got != "" {
		t.Errorf("still attached to %s", got)
	}
}

func TestRole(t *testing.T) {
	a := newAccount(t)
	service := labimds.New(labimds.Instance{ID: "i-0a", Region: "eu-central-1", Zone: zone})
	web := httptest.NewServer(service)
	t.Cleanup(web.Close)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.URL)
	t.Setenv("AWS_ENDPOINT_URL_EC2", a.web.URL)
	account, err := cloud.Open(t.Context(), "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	c := Connect(account, zone, "i-0a")
	_, err = c.Volumes(t.Context(), []string{"vol-1"})
	if got := sentence(t, err); got != "WAITING EC2 cannot be asked: this instance has no role." || !errors.Is(err, ErrNoRole) {
		t.Errorf("%s (%v)", got, err)
	}
	a.AddVolume(labec2.Volume{ID: "vol-1", Zone: zone, Snapshot: "snap-1"})
	service.SetRole("db-prod", a.Credentials("i-0a", "db-prod").JSON())
	got, err := c.Volumes(t.Context(), []string{"vol-1"})
	if err != nil || len(got) != 1 || got[0].Snapshot != "snap-1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMay asks for rights without using them.
func TestMay(t *testing.T) {
	a := newAccount(t)
	vols := a.set(1)
	c := a.instance("i-0a", nil)
	for denied, want := range map[string]string{
		"":             "",
		"AttachVolume": "WAITING EC2 denied AttachVolume to role db-prod (UnauthorizedOperation).",
		"CreateTags":   "WAITING EC2 denied CreateTags to role db-prod (UnauthorizedOperation).",
	} {
		a.SetFault(labec2.Fault{Denied: []string{denied}})
		err := c.May(t.Context(), vols[0])
		if want == "" && err != nil || want != "" && sentence(t, err) != want {
			t.Errorf("without %q: %v", denied, err)
		}
	}
	if got := strings.Join(a.holders(vols), ""); got != "" || a.Volume(vols[0]).Tags[TagSet] != "" {
		t.Errorf("something came of it: attached to %q, tags %v", got, a.Volume(vols[0]).Tags)
	}
}
