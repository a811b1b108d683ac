package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
	cloudlab "bootswain/lab/ec2"
	"bootswain/secret"
	"bootswain/spec"
	"bootswain/volume"
)

// vault has the keys of sources by a word in them.
type vault map[string]error

func (v vault) Unseal(_ context.Context, said []byte) (*secret.Key, error) {
	for word, err := range v {
		if strings.Contains(string(said), word) {
			if err != nil {
				return nil, err
			}
			return secret.Random(), nil
		}
	}
	return nil, errors.New("asked for something else")
}

func TestExamineKeys(t *testing.T) {
	denied := &situation.Situation{Word: situation.Locked, Subject: "key", Text: "KMS denied Decrypt.", Next: "grant it"}
	brought := &situation.Situation{Word: situation.Locked, Subject: "key", Text: "brought", Cause: secret.ErrBrought}
	a := &Agent{storage: &volume.Host{Keys: vault{"/mine": nil, "alias/orders": denied, "unlock": brought}}}
	one := []spec.KeySource{{}}
	want := &spec.Spec{Volumes: []spec.Volume{
		{Name: "header"},
		{Name: "own", Encryption: spec.Encryption{Sources: one, Sealed: []byte(`{"ssm":{"parameter":"/mine"}}`)}},
		{Name: "hand", Encryption: spec.Encryption{Sources: one, Sealed: []byte(`{"unlock":true}`)}},
		{Name: "two", Encryption: spec.Encryption{Sources: []spec.KeySource{{}, {}}, Sealed: []byte(`{"kms":{"key":"alias/orders"},"fallback":[{"ssm":{"parameter":"/mine"}}]}`)}},
	}}
	var got []string
	for _, s := range a.examineKeys(t.Context(), want) {
		got = append(got, s.Error())
	}
	const all = `READY own: its key can be had.
READY hand: its key is brought from outside; nothing to try.
LOCKED two: source 1 of 2: KMS denied Decrypt.
READY two: source 2 of 2: its key can be had.`
	if strings.Join(got, "\n") != all {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), all)
	}
	if needsIdentity(want) || !needsIdentity(&spec.Spec{Volumes: []spec.Volume{{Encryption: spec.Encryption{Sources: []spec.KeySource{{Sealed: []byte("x")}}}}}}) {
		t.Error("only what is sealed needs the image's identity")
	}
}

// TestExamineSnapshots: whoever asks for snapshots of a certain age must be shown
// them.
func TestExamineSnapshots(t *testing.T) {
	w := newWorld(t)
	const id = "vol-0a22"
	w.blank(id)
	expect := func(ids []string, want string) {
		t.Helper()
		if got := examineSnapshots(t.Context(), w.account(), "data", ids).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect([]string{id}, "READY data: EC2 shows its snapshots; there is none yet.")
	w.ec2.AddSnapshot(cloudlab.Snapshot{ID: "snap-1", Volume: id, Size: 1, Started: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)})
	expect([]string{id}, "READY data: EC2 shows its snapshots, the last of 2026-11-22T12:00:00Z.")
	w.ec2.SetFault(cloudlab.Fault{Denied: []string{"*"}})
	expect([]string{id}, "WAITING data: EC2 denied DescribeSnapshots to role db-prod (UnauthorizedOperation).")
	report := &health.Report{Volumes: []health.Volume{{Name: "data", Mounted: true, Devices: []health.Device{{Volume: id}}}, {Name: "logs"}}}
	if got := devicesOf(report, "data"); !slices.Equal(got, []string{id}) {
		t.Errorf("data is on %v", got)
	}
	expect(devicesOf(report, "logs"), "FAILED data: it is not up, so EC2 cannot be asked for its snapshots.")
}
