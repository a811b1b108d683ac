package luks_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/luks"
)

const firstKey = "canary-key"

// keyslots says which keyslot each key opens; "-" is none.
func keyslots(t *testing.T, path string, keys ...string) string {
	t.Helper()
	var all []string
	for _, k := range keys {
		switch n, err := luks.Keyslot(path, []byte(k)); {
		case errors.Is(err, luks.ErrWrongKey):
			all = append(all, "-")
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, string(rune('0'+n)))
		}
	}
	return strings.Join(all, " ")
}

func TestKeyslots(t *testing.T) {
	m, path := formatted(t)
	ctx, keys := t.Context(), []string{firstKey, "second canary", "third"}
	first, second, third := []byte(keys[0]), []byte(keys[1]), []byte(keys[2])
	expect := func(when, want string) {
		t.Helper()
		if got := keyslots(t, path, keys...); got != want {
			t.Errorf("%s the keys open %s, want %s", when, got, want)
		}
	}
	expect("formatted,", "0 - -")
	if err := luks.AddKey(ctx, m, path, 7, third, second); !errors.Is(err, luks.ErrWrongKey) {
		t.Errorf("added by a key that does not open it: %v", err)
	}
	if err := luks.AddKey(ctx, m, path, 7, first, second); err != nil {
		t.Fatal(err)
	}
	expect("added,", "0 7 -")
	h, err := luks.ReadHeader(path)
	if err != nil || h.FreeKeyslot() != 6 || !h.HasKeyslot(7) || h.HasKeyslot(1) || !h.Whole() {
		t.Errorf("%+v, %v", h, err)
	}
	if err := luks.RemoveKey(ctx, m, path, 0, third); !errors.Is(err, luks.ErrWrongKey) {
		t.Errorf("removed by a key that opens nothing: %v", err)
	}
	if err := luks.RemoveKey(ctx, m, path, 0, second); err != nil {
		t.Fatal(err)
	}
	if err := luks.RemoveKey(ctx, m, path, 7, second); err == nil || !strings.Contains(err.Error(), "the key opens no other") {
		t.Errorf("the last key is removed: %v", err)
	}
	expect("removed,", "- 7 -")
	if err := luks.Try(ctx, m, path, second); err != nil {
		t.Error(err)
	}
	if err := luks.Try(ctx, m, path, first); !errors.Is(err, luks.ErrWrongKey) {
		t.Errorf("the removed key: %v", err)
	}
	if err := luks.AddPassphrase(ctx, m, path, second, []byte("canary phrase")); err != nil {
		t.Fatal(err)
	}
	if err := luks.Try(ctx, m, path, []byte("canary phrase")); err != nil {
		t.Error(err)
	}
	keys = append(keys, "canary phrase")
	expect("with a passphrase, which is slow to try,", "- 7 - -")
	if all := strings.Join(m.Commands, "\n"); strings.Contains(all, "canary") {
		t.Errorf("a key is among the arguments: %s", all)
	}
}

func TestNoFreeKeyslot(t *testing.T) {
	m, path := formatted(t)
	for n := 7; n > 0; n-- {
		if err := luks.AddKey(t.Context(), m, path, n, []byte(firstKey), []byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if h, err := luks.ReadHeader(path); err != nil || h.FreeKeyslot() != -1 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestKeyslotOfDamage: what stands in a file that somebody brings is not ours.
func TestKeyslotOfDamage(t *testing.T) {
	m, _ := formatted(t)
	whole, err := os.ReadFile(m.Disk(volumeID))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"empty": nil, "no header": make([]byte, 1<<20), "cut off": whole[:20<<10],
		"older second copy":                 edited(whole, `"pad":`, `"pad":0,"was":`),
		"a digest that luks.go cannot take": edited(whole, `"digests":{"0":{"digest":"`, `"digests":{"0":{"digest":"AAAA`),
	} {
		path := filepath.Join(t.TempDir(), "header")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := luks.Keyslot(path, []byte(firstKey)); err == nil || errors.Is(err, luks.ErrWrongKey) || !strings.Contains(err.Error(), "cannot read") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// edited changes the metadata of a primary header and makes its checksum right.
func edited(whole []byte, old, new string) []byte {
	b := bytes.Replace(bytes.Clone(whole), []byte(old), []byte(new), 1)
	clear(b[448:512])
	sum := sha256.Sum256(b[:16<<10])
	copy(b[448:], sum[:])
	return b
}
