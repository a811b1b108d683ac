package volume

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"bootswain/internal/fakehost"
	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/secret"
	"bootswain/spec"
)

// offline is the identity of who keeps the recovery keys.
var offline = func() *age.X25519Identity {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return i
}()

// brought unseals to one key, whatever the ciphertext.
type brought struct{ key *secret.Key }

func (b brought) Unseal(context.Context, []byte) (*secret.Key, error) {
	var k *secret.Key
	err := b.key.Use(func(raw []byte) (err error) {
		k, err = secret.Brought(append([]byte(nil), raw...))
		return err
	})
	return k, err
}

// recoveryKey unseals the recovery key in a token.
func recoveryKey(t *testing.T, token *luks.Token) *secret.Key {
	t.Helper()
	if token.Recovery == nil || token.Recovery.To != offline.Recipient().String() {
		t.Fatalf("recovery %+v", token.Recovery)
	}
	path := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(path, []byte(offline.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := secret.IdentityFile(path).Unseal(t.Context(), token.Recovery.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// opensWith tells whether a key opens the volume, which is down, and takes it
// down again.
func opensWith(t *testing.T, b bench, keys Keys) bool {
	t.Helper()
	h := b.host()
	h.Keys = keys
	want := over(b.ids()[:2]...)
	want.Encryption.Sealed = nil
	_, err := Converge(t.Context(), h, want, nil)
	if err != nil && situation.Of(err).Word != situation.Locked {
		t.Fatal(err)
	}
	b.reboot(t)
	return err == nil
}

func rotateKeys(t *testing.T, b bench) {
	want := over(b.ids()[:2]...)
	want.Encryption.Recovery = offline.Recipient().String()
	s := up(t, b, want)
	b.store(t, want.Mount, "kept")
	recovery := recoveryKey(t, s.Token)
	var said []string
	note := func(p Progress) {
		if p.Ended {
			said = append(said, p.Step)
		}
	}
	if err := Rekey(t.Context(), b.host(), want, NewKey{Sealed: []byte("sealed:two")}, note); err != nil {
		t.Fatal(err)
	}
	if got := b.load(t, want.Mount); got != "kept" {
		t.Errorf("the row is %q", got)
	}
	if got := strings.Join(said, "\n"); got != `note in the header that keyslot 7 is being filled
add the new key to data in keyslot 7, and see that it opens
note in the header that the key of data is that in keyslot 7
empty keyslot 0 of data
note in the header that nothing is left to be done` {
		t.Errorf("said:\n%s", got)
	}
	b.reboot(t)
	h := b.host()
	h.Keys = ringWithout("sealed:two") // the launch data's is out of date
	_, err := Converge(t.Context(), h, want, nil)
	says(t, err, situation.Locked, "; or with the recovery key: bootswain unlock data --recovery")
	b.reboot(t)
	one, two := key(t, "sealed:one"), key(t, "sealed:two")
	if opensWith(t, b, brought{one}) || !opensWith(t, b, brought{two}) || !opensWith(t, b, brought{recovery}) {
		t.Error("want that the new key and the recovery key open it, and no other")
	}
	s = up(t, b, want) // by the volume's own: the launch data's is out of date
	if s.Token.Keyslot != 7 || string(s.Token.Sealed) != "sealed:two" || len(s.Token.Spare) != 0 || s.Header.Keyslots != 2 {
		t.Errorf("token %+v, %d keyslots", s.Token, s.Header.Keyslots)
	}
	// The identity is lost: the recovery key lets a new key in, and a new recovery key.
	err = Rekey(t.Context(), h, want, NewKey{Sealed: []byte("sealed:three")}, nil)
	says(t, err, situation.Locked, "the key is sealed to another recipient")
	if err := Rekey(t.Context(), h, want, NewKey{Sealed: []byte("sealed:three"), With: recovery}, nil); err != nil {
		t.Fatal(err)
	}
	if err := Rekey(t.Context(), h, want, NewKey{Recovery: offline.Recipient().String()}, nil); err != nil {
		t.Fatal(err)
	}
	b.reboot(t)
	s = up(t, b, want)
	again := recoveryKey(t, s.Token)
	b.reboot(t)
	if opensWith(t, b, brought{two}) || opensWith(t, b, brought{recovery}) || !opensWith(t, b, brought{again}) || s.Header.Keyslots != 2 {
		t.Errorf("want that the new keys open it, and no other, of %d keyslots", s.Header.Keyslots)
	}
	err = Rekey(t.Context(), b.host(), want, NewKey{Sealed: []byte("sealed:four"), With: one}, nil)
	says(t, err, situation.Failed, "it is not up")
	up(t, b, want)
	err = Rekey(t.Context(), b.host(), want, NewKey{Sealed: []byte("sealed:four"), With: one}, nil)
	says(t, err, situation.Locked, "the key that was brought does not unlock it")
	err = Rekey(t.Context(), b.host(), want, NewKey{Sealed: []byte("for somebody else")}, nil)
	says(t, err, situation.Locked, "this image holds age1test")
	if got := b.load(t, want.Mount); got != "kept" {
		t.Errorf("the row is %q", got)
	}
}

// key is what the keyring unseals a ciphertext to.
func key(t *testing.T, ciphertext string) *secret.Key {
	t.Helper()
	k, err := keyring{}.Unseal(t.Context(), []byte(ciphertext))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestCutRekey cuts the power at every step of a rotation, of the key and of the
// recovery key. The volume comes up by the key in its token, and doing the same
// again, or the same with another key, ends in one keyslot for each key. A key
// that a person added stays.
func TestCutRekey(t *testing.T) {
	for name, change := range map[string]NewKey{
		"key": {Sealed: []byte("sealed:two")}, "recovery": {Recovery: offline.Recipient().String()},
	} {
		for n := 1; n <= 2; n++ {
			t.Run(fmt.Sprintf("%s, %d devices", name, n), func(t *testing.T) {
				t.Parallel()
				every := 7 // of the others as of this one, only more of the same
				if n == 1 && name == "key" {
					every = 1
				}
				for at := 1; cutRekey(t, n, at, change); at += every {
				}
			})
		}
	}
}

func cutRekey(t *testing.T, n, at int, change NewKey) (cut bool) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(n)...)
	want := wanted(n)
	want.Encryption.Recovery = offline.Recipient().String()
	s := converged(t, m, want)
	m.Store("/srv/data", "kept")
	own := key(t, "sealed:a person's own")
	_ = own.Use(func(k []byte) error { m.AddOwnKey(targetOf(s), k); return nil })
	m.CutAfter(at)
	err := Rekey(t.Context(), hostOf(m), want, change, nil)
	cut = m.WasCut()
	if (err != nil) != cut {
		t.Fatalf("cut at %d: %v, %v", at, cut, err)
	}
	m.Reboot()
	m.CutAfter(0)
	// Without the launch data: by the key in the token alone.
	plain := want
	plain.Encryption.Sealed = nil
	s = converged(t, m, plain)
	if got := m.Load("/srv/data"); got != "kept" {
		t.Fatalf("cut at %d: the row is %q", at, got)
	}
	recovery := recoveryKey(t, s.Token)
	if err := opens(s, recovery); err != nil {
		t.Fatalf("cut at %d: the recovery key in the token: %v", at, err)
	}
	if at%2 == 0 && change.Sealed != nil {
		change.Sealed = []byte("sealed:three") // another key than the first time
	}
	if at%3 == 0 {
		change.With = own
	}
	if err := Rekey(t.Context(), hostOf(m), plain, change, nil); err != nil {
		t.Fatalf("cut at %d, and again: %v", at, err)
	}
	m.Reboot()
	s = converged(t, m, plain)
	if err := own.Use(func(k []byte) error { return luks.Try(t.Context(), m, targetOf(s), k) }); err != nil {
		t.Fatalf("cut at %d: a person's own key: %v", at, err)
	}
	if s.Header.Keyslots != 3 || len(s.Token.Spare) != 0 || change.Sealed != nil && string(s.Token.Sealed) != string(change.Sealed) {
		t.Fatalf("cut at %d: %d keyslots, token %+v", at, s.Header.Keyslots, s.Token)
	}
	if err := opens(s, recoveryKey(t, s.Token)); err != nil {
		t.Fatalf("cut at %d: the recovery key in the token, in the end: %v", at, err)
	}
	return cut
}

// TestCutFirstBootWithRecovery cuts the power at every step of making a volume
// with a recovery key: in the end the one in the token opens it.
func TestCutFirstBootWithRecovery(t *testing.T) {
	t.Parallel()
	want := wanted(1)
	want.Encryption.Recovery = offline.Recipient().String()
	for at, cut := 20, true; cut; at++ { // TestCutFirstBoot has what is before
		m := fakehost.New(t)
		m.Create(diskSize, volumeIDs(1)...)
		m.CutAfter(at)
		_, err := Converge(t.Context(), hostOf(m), want, nil)
		if cut = m.WasCut(); (err != nil) != cut {
			t.Fatalf("cut at %d: %v, %v", at, cut, err)
		}
		m.Reboot()
		m.CutAfter(0)
		s := converged(t, m, want)
		if err := opens(s, recoveryKey(t, s.Token)); err != nil || s.Header.Keyslots != 2 {
			t.Fatalf("cut at %d: %v, %d keyslots", at, err, s.Header.Keyslots)
		}
	}
}

// TestAddPassphrase: it opens the volume, before and after a rotation.
func TestAddPassphrase(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(2)...)
	want := wanted(2)
	converged(t, m, want)
	phrase, err := secret.Brought([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	h := hostOf(m)
	h.Run = lazy{m}
	says(t, AddPassphrase(t.Context(), h, want, phrase, nil), situation.Failed, luks.ErrWrongKey.Error())
	for _, change := range []func() error{
		func() error { return AddPassphrase(t.Context(), hostOf(m), want, phrase, nil) },
		func() error { return Rekey(t.Context(), hostOf(m), want, NewKey{Sealed: []byte("sealed:two")}, nil) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		m.Reboot()
		h := hostOf(m)
		h.Keys = brought{phrase}
		if _, err := Converge(t.Context(), h, want, nil); err != nil {
			t.Error(err)
		}
	}
	if all := strings.Join(m.Commands, "\n"); strings.Contains(all, "horse") {
		t.Errorf("the passphrase is among the arguments: %s", all)
	}
}

// TestNoKeyToKeep: what is not encrypted, or by a key that nobody keeps, has
// nothing to rotate or back up.
func TestNoKeyToKeep(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	for _, mode := range []spec.EncryptionMode{spec.EncryptionNone, spec.EncryptionEphemeral} {
		want := wanted(1)
		want.Encryption = spec.Encryption{Mode: mode}
		file := filepath.Join(t.TempDir(), "data.header")
		for _, err := range []error{
			Rekey(t.Context(), hostOf(m), want, NewKey{Sealed: []byte("sealed:two")}, nil),
			BackUpHeader(t.Context(), hostOf(m), want, file), RestoreHeader(t.Context(), hostOf(m), want, file, nil),
		} {
			says(t, err, situation.Refused, "its encryption is "+string(mode)+": it has no key to keep")
		}
	}
}

// lazy says that it added a key, and did not.
type lazy struct{ run.Runner }

func (l lazy) Run(ctx context.Context, c run.Cmd) ([]byte, error) {
	if c.Args[0] == "luksAddKey" {
		return nil, nil
	}
	return l.Runner.Run(ctx, c)
}

// TestRekeyVerifies: a key that does not open the volume never takes the place
// of one that does.
func TestRekeyVerifies(t *testing.T) {
	m := fakehost.New(t)
	m.Create(diskSize, volumeIDs(1)...)
	converged(t, m, wanted(1))
	for name, change := range map[string]NewKey{"key": {Sealed: []byte("sealed:two")}, "recovery": {Recovery: offline.Recipient().String()}} {
		h := hostOf(m)
		h.Run = lazy{m}
		says(t, Rekey(t.Context(), h, wanted(1), change, nil), situation.Failed, luks.ErrWrongKey.Error())
		s := converged(t, m, wanted(1))
		if err := opens(s, key(t, "sealed:one")); err != nil || string(s.Token.Sealed) != "sealed:one" || s.Token.Recovery != nil {
			t.Errorf("%s: %v, token %+v", name, err, s.Token)
		}
	}
}

func targetOf(s State) string { _, path, _ := s.target(); return path }

func opens(s State, k *secret.Key) error {
	return k.Use(func(b []byte) error { _, err := luks.Keyslot(targetOf(s), b); return err })
}
