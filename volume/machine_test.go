package volume

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/secret"
	"bootswain/spec"
)

const diskSize = 48 << 20

// keyring unseals "sealed:NAME" to the key of that name.
type keyring struct{}

func (keyring) Unseal(_ context.Context, ciphertext []byte) (*secret.Key, error) {
	name, ok := strings.CutPrefix(string(ciphertext), "sealed:")
	if !ok {
		return nil, &situation.Situation{Word: situation.Locked, Subject: "key", Text: "the key is sealed to another recipient; this image holds age1test. Data untouched.", Next: "seal it anew"}
	}
	return secret.New([]byte(fmt.Sprintf("%-64s", name)))
}

// units are the mount units of the model machine.
type units struct{ m *fakehost.Machine }

func (u units) Mount(ctx context.Context, s MountSpec) error {
	return u.m.Mount(ctx, s.What, s.Where, s.Type, s.Options)
}
func (u units) Unmount(ctx context.Context, where string) error { return u.m.Unmount(ctx, where) }

func hostOf(m *fakehost.Machine) *Host {
	return &Host{Run: m, EBS: m.EBS(), Units: units{m}, Keys: keyring{}, Proc: m.Proc(), Root: m.Root(), Immutable: m.SetImmutable, Database: "data"}
}

func volumeIDs(n int) []string {
	ids := []string{"vol-0a000011", "vol-0a000022", "vol-0a000033", "vol-0a000044"}
	return ids[:n]
}

// wanted asks for a volume over n devices that may be made if they are blank.
func wanted(n int) spec.Volume {
	return spec.Volume{
		Name: "data", EBS: spec.EBS{IDs: volumeIDs(n)}, Create: spec.CreateIfBlank,
		Encryption: spec.Encryption{Sealed: []byte("sealed:one")},
		Filesystem: spec.Filesystem{Type: "xfs", Options: []string{"noatime"}},
		Mount:      "/srv/data", Required: true,
	}
}

// converged brings the volume up and fails the test where it does not come.
func converged(t *testing.T, m *fakehost.Machine, want spec.Volume) State {
	t.Helper()
	s, err := Converge(t.Context(), hostOf(m), want, nil)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, m, strings.Join(m.Commands, "\n"))
	}
	if !s.mountedAt(want.Mount) {
		t.Fatalf("converged and not mounted:\n%s", m)
	}
	sound(t, m)
	return s
}

// sound fails the test if anything that was ready was made anew.
func sound(t *testing.T, m *fakehost.Machine) {
	t.Helper()
	if len(m.Destroyed) > 0 {
		t.Fatalf("destroyed: %v\n%s", m.Destroyed, strings.Join(m.Commands, "\n"))
	}
}

// says fails the test unless err is a situation with that word whose sentence
// contains the text.
func says(t *testing.T, err error, word situation.Word, text string) situation.Situation {
	t.Helper()
	s := situation.Of(err)
	if s == nil || s.Word != word || !strings.Contains(s.String(), text) || s.Next == "" || s.Subject != "data" {
		t.Fatalf("got %v\nwant %s data: … %s …, with a next step", err, word, text)
	}
	return *s
}

// sums returns a hash of each volume's bytes.
func sums(t *testing.T, m *fakehost.Machine, ids ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, id := range ids {
		f, err := os.Open(m.Disk(id))
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		all[id] = fmt.Sprintf("%x", h.Sum(nil))
	}
	return all
}

// write writes bytes to a volume behind the machine's back.
func write(t *testing.T, m *fakehost.Machine, id string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(m.Disk(id), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, at)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
