package agent

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/luks"
	"bootswain/secret"
	"bootswain/spec"
)

// TestNewKey: which key is asked for, by whatever is given.
func TestNewKey(t *testing.T) {
	given := spec.Encryption{Sealed: []byte("launch"), Recovery: "age1launch"}
	for name, c := range map[string]struct {
		o     RotateOptions
		given spec.Encryption
		stdin string
		want  string
	}{
		"the launch data's":            {RotateOptions{}, given, "", "launch  false"},
		"none":                         {RotateOptions{}, spec.Encryption{}, "", "the launch data names none"},
		"no file":                      {RotateOptions{Sealed: filepath.Join(t.TempDir(), "none")}, given, "", "no such file"},
		"no sealed key":                {RotateOptions{Sealed: "-"}, given, "hunter2", "the sealed key is neither age armor nor base64"},
		"recovery":                     {RotateOptions{Recovery: true}, given, "", " age1launch false"},
		"recovery to another":          {RotateOptions{Recovery: true, To: "age1other"}, given, "", " age1other false"},
		"recovery to nobody":           {RotateOptions{Recovery: true}, spec.Encryption{Recovery: spec.NoRecovery}, "", "sealed to whom?"},
		"with a key":                   {RotateOptions{WithKey: true}, given, strings.Repeat("k", 32), "launch  true"},
		"with a key that is not there": {RotateOptions{WithKey: true}, given, "", "no key on standard input"},
	} {
		n, err := newKey(c.o, c.given, strings.NewReader(c.stdin))
		got := string(n.Sealed) + " " + n.Recovery + " " + map[bool]string{true: "true", false: "false"}[n.With != nil]
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestBroughtKeyIsCopied(t *testing.T) {
	k, err := broughtKey(strings.NewReader("short"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := brought{k}.Unseal(t.Context(), []byte("whatever"))
	if err != nil {
		t.Fatal(err)
	}
	first.Destroy() // by whoever used it
	second, err := brought{k}.Unseal(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Use(func(b []byte) error {
		if !bytes.Equal(b, []byte("short")) {
			return errors.New("another key")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if _, err := broughtKey(strings.NewReader(strings.Repeat("k", secret.MaxSize+1))); err == nil || !strings.Contains(err.Error(), "cannot use a key of 4097 bytes") {
		t.Errorf("too long: %v", err)
	}
}

// TestMayMake: a key that is brought becomes a new volume's only where the launch
// data says that it is brought, and never one that can be guessed.
func TestMayMake(t *testing.T) {
	long, short := strings.Repeat("k", secret.MinSize), "correct horse"
	for _, tt := range []struct {
		sources []spec.KeySource
		key     string
		want    bool
	}{
		{[]spec.KeySource{{Unlock: true}}, long, true},
		{[]spec.KeySource{{Unlock: true}}, short, false},
		{[]spec.KeySource{{Sealed: []byte("x")}, {Unlock: true}}, long, false},
		{nil, long, false},
	} {
		k, err := secret.Brought([]byte(tt.key))
		if err != nil {
			t.Fatal(err)
		}
		if got := mayMake(spec.Encryption{Sources: tt.sources}, k); got != tt.want {
			t.Errorf("%+v, %d bytes: %v", tt.sources, len(tt.key), got)
		}
	}
}

func TestWordsAboutKeys(t *testing.T) {
	asked := func(to string) view {
		return view{want: spec.Volume{Name: "data", Encryption: spec.Encryption{Recovery: to}}}
	}
	with := func(v view, token luks.Token) view { v.state.Token = &token; return v }
	for name, c := range map[string]struct {
		v    view
		want string
	}{
		"unknown": {asked(""), "its keys are not known"},
		"silent":  {with(asked(""), luks.Token{}), "no recovery key"},
		"aloud":   {with(asked(spec.NoRecovery), luks.Token{}), "no recovery key, as asked"},
		"not yet": {with(asked("age1x"), luks.Token{}), "no recovery key yet: bootswain key rotate data --recovery"},
		"there":   {with(asked("age1x"), luks.Token{Recovery: &luks.Recovery{Keyslot: 1, To: "age1x"}}), "recovery key sealed to age1x"},
		"cut off": {with(asked(""), luks.Token{Spare: []int{7}}), "a change of its keys was cut off, both keys open it: bootswain key rotate data"},
	} {
		if got := c.v.keys(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
