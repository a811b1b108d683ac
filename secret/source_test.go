package secret

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"bootswain/internal/situation"
)

// TestUnknownSource: what a newer bootswain may have written is no key, and no
// error either.
func TestUnknownSource(t *testing.T) {
	for _, said := range []string{`{"hsm":{}}`, `{"kms":7}`, "{", "{}"} {
		_, err := Ring{}.Unseal(t.Context(), []byte(said))
		isLocked(t, err, "where its key is, is not said in words that this bootswain knows")
	}
	if _, err := (Ring{}).Unseal(t.Context(), []byte(`{"unlock":true}`)); !errors.Is(err, ErrBrought) {
		t.Errorf("%v", err)
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
	r := Ring{identity: "/nonexistent"}
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
