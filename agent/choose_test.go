package agent

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/ebs"
	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	cloudlab "bootswain/lab/ec2"
	"bootswain/lab/imds"
	"bootswain/launch"
	"bootswain/secret"
	"bootswain/spec"
	"bootswain/volume"
)

const (
	zone  = "eu-central-1a"
	here  = "i-0a"
	disks = 48 << 20 // bytes of each
)

// world is a model machine at which EC2 attaches volumes.
type world struct {
	*Agent
	t       *testing.T
	machine *fakehost.Machine
	ec2     *cloudlab.Server
	done    chan string         // what the hardware has done
	copies  map[string][]string // of each snapshot: the volume it was taken of
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, machine: fakehost.New(t), done: make(chan string, 16), copies: map[string][]string{}}
	m := w.machine
	w.Agent = &Agent{out: os.Stderr, storage: &volume.Host{
		Run: m, EBS: m.EBS(), Units: modelUnits{m}, Keys: anyKey{}, Proc: m.Proc(), Root: m.Root(), Immutable: m.SetImmutable,
	}}
	w.ec2 = cloudlab.New(w)
	t.Cleanup(w.ec2.Close)
	w.ec2.SetInstance(cloudlab.Instance{ID: here, Zone: zone})
	metadata := imds.New(imds.Instance{ID: here, Region: "eu-central-1", Zone: zone})
	metadata.SetRole("db-prod", w.ec2.Credentials(here, "db-prod").JSON())
	for name, handler := range map[string]*httptest.Server{"AWS_EC2_METADATA_SERVICE_ENDPOINT": httptest.NewServer(metadata), "AWS_ENDPOINT_URL_EC2": httptest.NewServer(w.ec2)} {
		t.Cleanup(handler.Close)
		t.Setenv(name, handler.URL)
	}
	return w
}

func (w *world) account() *ebs.EC2 {
	return w.cloud(w.t.Context(), launch.Data{InstanceID: here, Region: "eu-central-1", Zone: zone})
}

// Attach implements lab/ec2's Hardware.
func (w *world) Attach(_ context.Context, id, instance, _ string) error {
	if instance == here {
		w.machine.Attach(id)
	}
	w.done <- "attach " + id
	return nil
}

// Detach implements lab/ec2's Hardware.
func (w *world) Detach(_ context.Context, id, _ string) error {
	w.machine.Detach(id)
	w.done <- "detach " + id
	return nil
}

// Create implements lab/ec2's Hardware.
func (w *world) Create(_ context.Context, id, snapshot string, _ int) error {
	w.machine.Create(disks, id)
	w.machine.Detach(id)
	w.machine.Overwrite(w.copies[snapshot][0], id)
	w.done <- "create " + id
	return nil
}

// worked waits until the hardware has done n things, and EC2 knows.
func (w *world) worked(n int) {
	w.t.Helper()
	for range n {
		select {
		case <-w.done:
		case <-time.After(10 * time.Second):
			w.t.Fatal("the hardware does nothing")
		}
	}
	w.ec2.Wait()
}

// blank makes volumes that carry tags and are attached to nothing.
func (w *world) blank(ids ...string) {
	for _, id := range ids {
		w.machine.Create(disks, id)
		w.machine.Detach(id)
		w.ec2.AddVolume(cloudlab.Volume{ID: id, Zone: zone, Size: 1, Tags: map[string]string{"set": "orders"}})
	}
}

type modelUnits struct{ m *fakehost.Machine }

func (u modelUnits) Mount(ctx context.Context, s volume.MountSpec) error {
	return u.m.Mount(ctx, s.What, s.Where, s.Type, s.Options)
}
func (u modelUnits) Unmount(ctx context.Context, where string) error { return u.m.Unmount(ctx, where) }

type anyKey struct{}

func (anyKey) Unseal(context.Context, []byte) (*secret.Key, error) {
	return secret.New([]byte(strings.Repeat("k", 64)))
}

func byTags(count int) spec.Volume {
	return spec.Volume{
		Name: "data", EBS: spec.EBS{Tags: map[string]string{"set": "orders"}, Count: count}, Create: spec.CreateIfBlank,
		Encryption: spec.Encryption{Sealed: []byte("key")}, Filesystem: spec.Filesystem{Type: "xfs"}, Mount: "/srv/data", Required: true,
	}
}

// up chooses and brings up, as the keeper does.
func (w *world) up(want spec.Volume) (volume.State, error) {
	chosen, err := w.choose(w.t.Context(), w.account(), want, true)
	if err != nil {
		return volume.State{}, err
	}
	w.worked(len(w.done))
	return w.bringUp(w.t.Context(), chosen.said(nil), nil, func(volume.Progress) {})
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if s := situation.Of(err); s == nil || !strings.Contains(s.String(), want) || s.Next == "" {
		t.Errorf("%v\nwant %s, and a next step", err, want)
	}
}

// TestTags goes from blank, unattached volumes to a mounted set, through a
// reboot without EC2, and to another machine that has the set.
func TestTags(t *testing.T) {
	w := newWorld(t)
	ids := []string{"vol-0a000011", "vol-0a000022"}
	w.blank(ids...)
	if chosen, err := w.choose(t.Context(), w.account(), byTags(2), false); err != nil || !slices.Equal(chosen.want.EBS.IDs, ids) {
		t.Fatalf("without attaching: %+v, %v", chosen, err)
	}
	if len(w.ec2.Volume(ids[0]).Attachments) > 0 {
		t.Fatal("attached by looking")
	}
	chosen, err := w.choose(t.Context(), w.account(), byTags(2), true)
	if err != nil || !slices.Equal(chosen.want.EBS.IDs, ids) || len(chosen.want.EBS.Tags) > 0 {
		t.Fatalf("%+v, %v", chosen, err)
	}
	w.worked(2)
	state, err := w.up(byTags(2))
	if err != nil {
		t.Fatal(err)
	}
	set, order := state.Set()
	if err := w.account().Record(t.Context(), set, order); err != nil || set == "" {
		t.Fatal(set, err)
	}
	for i, id := range ids {
		if tags := w.ec2.Volume(id).Tags; tags[ebs.TagSet] != set || tags[ebs.TagRole] != fmt.Sprint(i) || tags[ebs.TagCount] != "2" {
			t.Errorf("%s carries %v", id, tags)
		}
	}

	w.machine.Reboot()
	w.ec2.SetFault(cloudlab.Fault{Denied: []string{"*"}})
	if _, err := w.up(byTags(2)); err != nil {
		t.Errorf("rebooted while EC2 denies all: %v", err)
	}
	w.machine.Reboot()
	w.machine.Detach(ids[1])
	_, err = w.up(byTags(2))
	says(t, err, "WAITING data: EC2 denied DescribeVolumes to role db-prod (UnauthorizedOperation).")

	w.ec2.SetFault(cloudlab.Fault{})
	w.ec2.SetInstance(cloudlab.Instance{ID: "i-0old", Zone: zone, State: "shutting-down"})
	w.ec2.AddVolume(cloudlab.Volume{ID: ids[1], Zone: zone, Tags: map[string]string{"set": "orders"}, Attachments: []cloudlab.Attachment{{Instance: "i-0old", Device: "/dev/sdf"}}})
	_, err = w.up(byTags(2))
	says(t, err, "WAITING data: 1 of 2 volumes; vol-0a000022 missing (EC2: attached to i-0old, shutting-down).\n  next: nothing; continues by itself")
}

// TestRestore makes a set's volumes anew from its snapshots, once.
func TestRestore(t *testing.T) {
	w := newWorld(t)
	ids := []string{"vol-0a000011", "vol-0a000022"}
	w.blank(ids...)
	if _, err := w.choose(t.Context(), w.account(), byTags(2), true); err != nil {
		t.Fatal(err)
	}
	w.worked(2)
	if _, err := w.up(byTags(2)); err != nil {
		t.Fatal(err)
	}
	w.machine.Store("/srv/data", "order 1")
	w.machine.Reboot()
	w.machine.Detach(ids...)
	for i, id := range ids {
		snapshot := fmt.Sprintf("snap-%d", i)
		w.copies[snapshot] = []string{id}
		w.ec2.AddSnapshot(cloudlab.Snapshot{ID: snapshot, Size: 1, Volume: id, Tags: map[string]string{ebs.TagSet: "orders/1", ebs.TagRole: fmt.Sprint(i), ebs.TagCount: "2"}})
	}
	want := byTags(2)
	want.EBS, want.Create = spec.EBS{Restore: "orders/1"}, spec.CreateNever
	_, err := w.choose(t.Context(), w.account(), want, false)
	says(t, err, "WAITING data: not all volumes were made from the snapshots of orders/1 for this instance.")
	_, err = w.choose(t.Context(), w.account(), want, true)
	says(t, err, "WAITING data: 2 volumes are being made from the snapshots of orders/1.")
	w.worked(2)
	chosen, err := w.choose(t.Context(), w.account(), want, true)
	if err != nil {
		t.Fatal(err)
	}
	w.worked(2)
	for range 2 {
		if _, err := w.up(want); err != nil {
			t.Fatal(err)
		}
		if got := w.machine.Load("/srv/data"); got != "order 1" {
			t.Errorf("restored: %q", got)
		}
		w.machine.Reboot()
	}
	again, err := w.choose(t.Context(), w.account(), want, true)
	if err != nil || !slices.Equal(again.want.EBS.IDs, chosen.want.EBS.IDs) {
		t.Errorf("after reboots it is made of %v (%v), before of %v", again.want.EBS.IDs, err, chosen.want.EBS.IDs)
	}
}

// TestWithoutEC2: stanzas that name their volumes do not need EC2, and those
// that do not say what is missing.
func TestWithoutEC2(t *testing.T) {
	w := newWorld(t)
	w.ec2.SetFault(cloudlab.Fault{Throttle: []string{"*"}})
	named := byTags(0)
	named.EBS = spec.EBS{IDs: []string{"vol-0a000011"}}
	for _, c := range []*ebs.EC2{nil, w.account()} {
		chosen, err := w.choose(t.Context(), c, named, true)
		if err != nil || !slices.Equal(chosen.want.EBS.IDs, named.EBS.IDs) || len(chosen.absent) > 0 {
			t.Errorf("%+v, %v", chosen, err)
		}
		_, err = w.bringUp(t.Context(), chosen.said(nil), nil, func(volume.Progress) {})
		says(t, err, "WAITING data: 0 of 1 volumes; vol-0a000011 missing.\n  next: attach vol-0a000011; continues by itself")
	}
	_, err := w.choose(t.Context(), nil, byTags(2), true)
	says(t, err, "WAITING data: EC2 cannot be asked for its volumes: nobody said which instance this is.")
}

// TestMissingSince: it is said how long a volume has been missing, and that
// alone is no news.
func TestMissingSince(t *testing.T) {
	at := map[string]ebs.Place{"vol-1": {Words: "available"}}
	k := &keeper{want: byTags(1)}
	if _, known, _ := k.answer(); known {
		t.Error("known before EC2 was asked")
	}
	k.inquiry.take(choice{absent: at}, nil)
	k.inquiry.since["vol-1"] = time.Now().Add(-7 * time.Minute)
	k.inquiry.take(choice{absent: at}, nil)
	chosen, known, err := k.answer()
	if got := chosen.absent["vol-1"].Words; !known || err != nil || got != "missing 7m (EC2: available)" {
		t.Errorf("%q, %v, %v", got, known, err)
	}
	sentence := func(words string) *situation.Situation {
		return &situation.Situation{Word: situation.Waiting, Subject: "data", Text: "vol-1 " + words + "."}
	}
	if a, b := ageless(sentence("missing (EC2: available)")), ageless(sentence("missing 3h (EC2: available)")); a != b {
		t.Errorf("%s is news after %s", b, a)
	}
	for ago, want := range map[time.Duration]string{time.Second: "", 90 * time.Second: " 1m", 3 * time.Hour: " 3h", 72 * time.Hour: " 3d"} {
		if got := age(time.Now().Add(-ago)); got != want {
			t.Errorf("%s: %q, want %q", ago, got, want)
		}
	}
}
