package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bootswain/internal/run"
	"bootswain/internal/situation"
)

// TestChild gets keys from this program, started again.
func TestChild(t *testing.T) {
	if path := os.Getenv("GIVE_KEY"); path != "" {
		err := Give(t.Context(), Ring{Identity: path}, os.Stdin, os.Stdout)
		if d, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); d != 0 || err != nil {
			fmt.Fprintln(os.Stderr, "dumpable:", d, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	line, to := x25519(t)
	t.Setenv("GIVE_KEY", identity(t, line))
	c := Child{Run: run.Host{}, Name: os.Args[0], Args: []string{"-test.run=^TestChild$"}}
	k, err := c.Unseal(t.Context(), sealed(t, canaryKey(t), to))
	if err != nil {
		t.Fatal(err)
	}
	if string(*k.box.b) != canary {
		t.Error("not the key that was sealed")
	}
	_, other := x25519(t)
	_, err = c.Unseal(t.Context(), sealed(t, canaryKey(t), other))
	isLocked(t, err, "the key is sealed to another recipient (an X25519 recipient); this image holds "+to)
	if _, err = c.Unseal(t.Context(), []byte(`{"unlock":true}`)); !errors.Is(err, ErrBrought) {
		t.Errorf("%v", err)
	}
	_, err = c.Unseal(t.Context(), []byte(`{"hsm":{}}`))
	isLocked(t, err, "where its key is, is not said in words that this bootswain knows")
	_, err = c.Unseal(t.Context(), []byte(`{"kms":7}`))
	isLocked(t, err, "where its key is, is not said in words")
}

// saying is a child that says something else.
type saying string

func (s saying) Run(context.Context, run.Cmd) ([]byte, error) {
	if s == "fails" {
		return []byte("+half a key"), &run.ExitError{Cmd: "give-key", Code: 1, Stderr: "no"}
	}
	return []byte(s), nil
}

func TestChildFails(t *testing.T) {
	for out, want := range map[saying]string{
		"fails": "cannot get the key: give-key: exit status 1: no", "": "gave no answer", "-{": "gave no answer", "key": "gave no answer", "+short": "cannot use a key of 5 bytes",
	} {
		_, err := Child{Run: out}.Unseal(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), want) || situation.Of(err) != nil || strings.Contains(err.Error(), "half") {
			t.Errorf("%q: %v, want %s", string(out), err, want)
		}
	}
}

func TestSources(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "age-encryption.org/v1\n": "age-encryption.org/v1\n", `{"kms":{"key":"a"}}`: `{"kms":{"key":"a"}}`,
		`{"fallback":[{"unlock":true},{"ssm":{"parameter":"b"}}],"kms":{"key":"a"}}`: `{"kms":{"key":"a"}}|{"unlock":true}|{"ssm":{"parameter":"b"}}`,
		`{"fallback":7,"unlock":true}`: `{"fallback":7,"unlock":true}`, "{": "{",
	} {
		var got []string
		for _, s := range Sources([]byte(said)) {
			got = append(got, string(s))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %s\nwant %s", said, strings.Join(got, "|"), want)
		}
	}
}

func FuzzSources(f *testing.F) {
	for _, s := range []string{"", "{", `{"unlock":true,"fallback":[{"sealed":"AAAA"}]}`, `{"sealed":"AAAA"}`, "age-encryption.org/v1\n"} {
		f.Add([]byte(s))
	}
	r := Ring{Identity: "/nonexistent"}
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, one := range Sources(said) {
			var s source
			if json.Unmarshal(one, &s) == nil && (s.KMS != nil || s.SSM != nil || s.SecretsManager != nil || len(s.Command) > 0) {
				continue // others would be asked
			}
			if _, err := r.Unseal(t.Context(), one); situation.Of(err) == nil {
				t.Errorf("%q: no situation: %v", one, err)
			}
		}
	})
}
