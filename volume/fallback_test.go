package volume

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/situation"
	"bootswain/secret"
	"bootswain/spec"
)

// vault has keys by the text of their source; what it does not have is locked.
type vault map[string]string

func (v vault) Unseal(_ context.Context, source []byte) (*secret.Key, error) {
	key, there := v[string(source)]
	if !there {
		return nil, &situation.Situation{Word: situation.Locked, Subject: "key", Text: "no " + string(source) + ". Data untouched.", Next: "wait"}
	}
	return secret.New([]byte(strings.Repeat(key, 64)))
}

// inAnother is another process with these keys: what is to be done goes there as
// text.
func inAnother(h *Host, keys Keys) func(context.Context, []byte, Deed) ([]byte, error) {
	return func(ctx context.Context, source []byte, d Deed) ([]byte, error) {
		text, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		var there Deed
		if err := json.Unmarshal(text, &there); err != nil {
			return nil, err
		}
		key, err := keys.Unseal(ctx, source)
		if err != nil {
			return nil, err
		}
		return there.With(ctx, h.Run, h.EBS, key)
	}
}

// TestFallback: a volume is made with the first key and opened with whichever can
// be had and fits; its header says the same as the launch data. None of it takes a key in this process.
func TestFallback(t *testing.T) {
	const both = `{"fallback":[{"ssm":{"parameter":"b"}}],"kms":{"key":"a"}}`
	const first, second = `{"kms":{"key":"a"}}`, `{"ssm":{"parameter":"b"}}`
	m := fakehost.New(t)
	want := wanted(2)
	m.Create(diskSize, want.EBS.IDs...)
	want.Encryption = spec.Encryption{Sealed: []byte(both)}
	h := hostOf(m)
	boot := func(v vault, want spec.Volume) (State, error) {
		h.Keys, h.Elsewhere = nil, inAnother(h, v)
		return Converge(t.Context(), h, want, nil)
	}
	_, err := boot(vault{second: "b"}, want)
	says(t, err, situation.Locked, "no "+first+". Data untouched.")
	s, err := boot(vault{first: "a"}, want)
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Token.Sealed) != both {
		t.Errorf("the header says %s", s.Token.Sealed)
	}
	silent := want
	silent.Encryption.Sealed = nil
	other := want
	other.Encryption.Sealed = []byte(second)
	for _, tt := range []struct {
		name string
		keys vault
		want spec.Volume
		says string // "": it comes up
	}{
		{"the first", vault{first: "a"}, want, ""},
		{"the fallback", vault{second: "a"}, want, ""},
		{"the first does not fit", vault{first: "x", second: "a"}, want, ""},
		{"by its header alone", vault{second: "a"}, silent, ""},
		{"the launch data's does not fit, its own does", vault{first: "a", second: "x"}, other, ""},
		{"none", vault{}, want, "the launch data's key: no " + first + "; the launch data's key: no " + second + ". Data untouched."},
		{"none fits", vault{second: "x"}, other, "the launch data's key: the key does not unlock it; the volume's own key: no " + first + ". Data untouched."},
	} {
		if err := Down(t.Context(), h, "data", nil); err != nil {
			t.Fatal(err)
		}
		switch _, err := boot(tt.keys, tt.want); {
		case tt.says != "":
			says(t, err, situation.Locked, tt.says)
		case err != nil:
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestSwappedWhileWaiting: getting a key may take long, and what is written over is
// looked at once more after that.
func TestSwappedWhileWaiting(t *testing.T) {
	m := fakehost.New(t)
	want := wanted(1)
	want.Encryption.Recovery = ""
	id := want.EBS.IDs[0]
	m.Create(diskSize, id)
	h := hostOf(m)
	there := inAnother(h, keyring{})
	before := ""
	h.Keys, h.Elsewhere = nil, func(ctx context.Context, source []byte, d Deed) ([]byte, error) {
		if d.Kind == DeedFormat {
			m.Detach(id)
			m.Attach(id)
			before = m.Sum(id)
		}
		return there(ctx, source, d)
	}
	_, err := Converge(t.Context(), h, want, nil)
	if err == nil || !strings.Contains(err.Error(), " is gone; nothing written") || m.Sum(id) != before {
		t.Errorf("%v; written to: %v", err, m.Sum(id) != before)
	}
}

// TestBrought: a key that is brought is asked for by the volume's name, before it
// is made and after.
func TestBrought(t *testing.T) {
	m := fakehost.New(t)
	want := wanted(1)
	m.Create(diskSize, want.EBS.IDs...)
	want.Encryption = spec.Encryption{Sealed: []byte(`{"unlock":true}`)}
	h := hostOf(m)
	asked := func() {
		t.Helper()
		h.Keys, h.Elsewhere = nil, inAnother(h, secret.Ring{})
		_, err := Converge(t.Context(), h, want, nil)
		s := says(t, err, situation.Locked, "its key is brought from outside. Data untouched.")
		if s.Next != "bootswain unlock data < KEY" {
			t.Errorf("next: %s", s.Next)
		}
	}
	asked()
	h.Keys, h.Elsewhere = nil, inAnother(h, vault{`{"unlock":true}`: "a"})
	if _, err := Converge(t.Context(), h, want, nil); err != nil {
		t.Fatal(err)
	}
	if err := Down(t.Context(), h, "data", nil); err != nil {
		t.Fatal(err)
	}
	asked()
}
