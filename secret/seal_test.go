package secret

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"bootswain/internal/situation"
)

// identity writes an identity file and returns its path and recipients.
func identity(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(path, []byte("# comment\n\n"+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func x25519(t *testing.T) (line, recipient string) {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i.String(), i.Recipient().String()
}

func hybrid(t *testing.T) (line, recipient string) {
	t.Helper()
	i, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i.String(), i.Recipient().String()
}

func sealed(t *testing.T, k *Key, recipients ...string) []byte {
	t.Helper()
	ct, err := Seal(recipients, k)
	if err != nil {
		t.Fatal(err)
	}
	return ct
}

func TestSealUnseal(t *testing.T) {
	xLine, xTo := x25519(t)
	_, xOther := x25519(t)
	hLine, hTo := hybrid(t)
	for name, c := range map[string]struct {
		line string
		to   []string
	}{
		"x25519":         {xLine, []string{xTo}},
		"two recipients": {xLine, []string{xOther, xTo}},
		"hybrid":         {hLine, []string{hTo}},
		"two identities": {xLine + "\n" + hLine, []string{hTo}},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := IdentityFile(identity(t, c.line)).Unseal(context.Background(), sealed(t, canaryKey(t), c.to...))
			if err != nil {
				t.Fatal(err)
			}
			if string(*k.box.b) != canary {
				t.Error("not the key that was sealed")
			}
		})
	}
}

func TestLocked(t *testing.T) {
	line, to := x25519(t)
	_, other := x25519(t)
	_, pq := hybrid(t)
	good := sealed(t, canaryKey(t), to)
	var plain bytes.Buffer
	r, _ := age.ParseX25519Recipient(to)
	w, _ := age.Encrypt(&plain, r)
	_, _ = w.Write([]byte("short"))
	_ = w.Close()
	for name, c := range map[string]struct {
		path string
		ct   []byte
		want string
	}{
		"no identity":           {filepath.Join(t.TempDir(), "none"), good, "LOCKED key: this image holds no identity ("},
		"broken identity":       {identity(t, "AGE-SECRET-KEY-1XXXX"), good, "cannot be read: error at line 3"},
		"empty identity":        {identity(t), good, "no identities found"},
		"other recipient":       {identity(t, line), sealed(t, canaryKey(t), other), "the key is sealed to another recipient (an X25519 recipient); this image holds " + to + ". Data untouched."},
		"hybrid recipient":      {identity(t, line), sealed(t, canaryKey(t), pq), "(a hybrid recipient); this image holds " + to},
		"not age at all":        {identity(t, line), []byte("hello"), "the sealed key is damaged: "},
		"empty":                 {identity(t, line), nil, "the sealed key is damaged: "},
		"cut off":               {identity(t, line), good[:len(good)-1], "the sealed key is damaged: "},
		"a bit flipped":         {identity(t, line), flip(good, len(good)-3), "the sealed key is damaged: "},
		"a header bit":          {identity(t, line), flip(good, 60), "LOCKED key: "},
		"too short to be a key": {identity(t, line), plain.Bytes(), "cannot use a key of 5 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := IdentityFile(c.path).Unseal(context.Background(), c.ct)
			s := situation.Of(err)
			if s == nil || s.Word != situation.Locked || s.Next == "" {
				t.Fatalf("not a LOCKED situation with a next step: %v", err)
			}
			if !strings.Contains(s.Error(), c.want) {
				t.Errorf("%s\nwant: %s", s, c.want)
			}
			if leaks(s.String()) || strings.Contains(s.String(), line) {
				t.Errorf("the sentence holds a secret: %s", s)
			}
		})
	}
}

func flip(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 1
	return c
}

func TestSealRefuses(t *testing.T) {
	_, to := x25519(t)
	_, pq := hybrid(t)
	dead := canaryKey(t)
	dead.Destroy()
	for name, c := range map[string]struct {
		to   []string
		k    *Key
		want string
	}{
		"nobody":    {nil, canaryKey(t), "no recipient given"},
		"nonsense":  {[]string{"bob"}, canaryKey(t), "unknown recipient type"},
		"a mixture": {[]string{to, pq}, canaryKey(t), "mix post-quantum and classic"},
		"destroyed": {[]string{to}, dead, "was destroyed"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Seal(c.to, c.k); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func FuzzUnseal(f *testing.F) {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	ct, err := Seal([]string{i.Recipient().String()}, Random())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ct)
	f.Add([]byte("age-encryption.org/v1\n"))
	id := &Identity{identities: []age.Identity{i}, recipients: []string{i.Recipient().String()}}
	f.Fuzz(func(t *testing.T, ct []byte) {
		k, err := unseal(id, ct, nil)
		if (k == nil) == (err == nil) {
			t.Fatalf("key %v and error %v", k, err)
		}
		if err != nil && situation.Of(err) == nil {
			t.Fatalf("not a situation: %v", err)
		}
	})
}
