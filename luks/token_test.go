package luks

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func sample() Token {
	return Token{
		Set: "data", Members: 2, Volumes: []string{"vol-0a11", "vol-0a22"}, Intent: Ready, Sealed: []byte{0, 1, 255},
		Purpose: Purpose{Mount: "/srv/data", Type: "xfs", Options: []string{"noatime"}, MySQL: true},
	}
}

// rekeyed is a token in the middle of a rotation.
func rekeyed() Token {
	t := sample()
	t.Keyslot, t.Spare, t.Recovery = 7, []int{0}, &Recovery{Keyslot: 1, To: "age1offline", Sealed: []byte{2}}
	return t
}

func TestTokenRoundTrip(t *testing.T) {
	b, err := sample().encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"bootswain","keyslots":[],"version":1,"set":"data","members":2,"volumes":["vol-0a11","vol-0a22"],` +
		`"intent":"ready","sealed":"AAH/","volume":{"mount":"/srv/data","filesystem":{"type":"xfs","options":["noatime"]},"mysql":true}}`
	if string(b) != want {
		t.Errorf("written as\n%s\nwant\n%s", b, want)
	}
	got, err := decodeToken(b)
	if err != nil || !reflect.DeepEqual(*got, sample()) || !got.equal(sample()) {
		t.Errorf("read back %+v, %v", got, err)
	}
}

func TestRekeyedTokenRoundTrip(t *testing.T) {
	b, err := rekeyed().encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"bootswain","keyslots":[],"version":1,"set":"data","members":2,"volumes":["vol-0a11","vol-0a22"],` +
		`"intent":"ready","sealed":"AAH/","keyslot":7,"volume":{"mount":"/srv/data","filesystem":{"type":"xfs","options":["noatime"]},"mysql":true},` +
		`"recovery":{"keyslot":1,"to":"age1offline","sealed":"Ag=="},"spare":[0]}`
	if string(b) != want {
		t.Errorf("written as\n%s\nwant\n%s", b, want)
	}
	got, err := decodeToken(b)
	if err != nil || !reflect.DeepEqual(*got, rekeyed()) || !got.equal(rekeyed()) || got.equal(sample()) {
		t.Errorf("read back %+v, %v", got, err)
	}
}

// TestSourceInToken: what is not an age ciphertext stands in the token as people
// can read it, and reads back the same however it is laid out.
func TestSourceInToken(t *testing.T) {
	token := sample()
	token.Sealed = []byte(`{"kms":{"ciphertext":"AQ/A","context":{"app":"a\u003cb","set":"orders"}}}`)
	b, err := token.encode()
	if err != nil || !strings.Contains(string(b), `"sealed":null,"source":{"kms":{`) {
		t.Fatalf("%s, %v", b, err)
	}
	other := strings.NewReplacer(`"AQ/A"`, ` "AQ\/A" `, `{"app":"a\u003cb","set":"orders"}`, `{"set":"orders", "app":"a<b"}`).Replace(string(b))
	for _, text := range []string{string(b), other} {
		if got, err := decodeToken([]byte(text)); err != nil || !got.equal(token) {
			t.Errorf("%s\nread back as %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		strings.Replace(string(b), `"sealed":null`, `"sealed":"AAH/"`, 1):  "it says two things of its key",
		strings.Replace(string(b), `"source":{`, `"source":null,"x":{`, 1): "its source is no object",
	} {
		if _, err := decodeToken([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	good, err := sample().encode()
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"newer version":    {with(`"version":1`, `"version":2,"set":7`), "its token has version 2 and this bootswain knows up to 1"},
		"no version":       {with(`"version":1,`, ``), "its token is damaged: version 0"},
		"other intent":     {with(`"ready"`, `"raw"`), `intent "raw" is neither`},
		"spare and in use": {with(`"sealed"`, `"spare":[0],"sealed"`), "it says two things of one keyslot"},
		"key is recovery":  {with(`"sealed"`, `"recovery":{"keyslot":0},"sealed"`), "it says two things of one keyslot"},
		"recovery spare":   {with(`"sealed"`, `"recovery":{"keyslot":1},"spare":[1],"sealed"`), "it says two things of one keyslot"},
		"no set":           {with(`"set":"data"`, `"set":""`), "it names no set"},
		"members disagree": {with(`"members":2`, `"members":3`), "3 members and 2 volume ids"},
		"sealed no base64": {with(`AAH/`, `!`), "its token is damaged"},
		"no JSON":          {`{`, "its token is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeToken([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	var newer *NewerError
	if _, err := decodeToken([]byte(`{"version":9}`)); !errors.As(err, &newer) || newer.Version != 9 {
		t.Errorf("a newer token answers %v", err)
	}
	if _, err := decodeToken([]byte(with(`"set"`, `"later":1,"set"`))); err != nil {
		t.Errorf("an added field of the same version is refused: %v", err)
	}
}

func TestTokenTooLong(t *testing.T) {
	long := sample()
	long.Sealed = make([]byte, maxToken)
	if _, err := long.encode(); err == nil || !strings.Contains(err.Error(), "the header has room for 8192") {
		t.Errorf("got %v", err)
	}
}

func TestTwoTokensOfOurs(t *testing.T) {
	b, _ := sample().encode()
	if _, err := tokenIn(map[string]json.RawMessage{"0": b, "3": b}); err == nil || !strings.Contains(err.Error(), "two tokens of ours") {
		t.Errorf("got %v", err)
	}
	foreign := json.RawMessage(`{"type":"systemd-tpm2","keyslots":["0"]}`)
	if got, err := tokenIn(map[string]json.RawMessage{"0": b, "3": foreign}); err != nil || got == nil {
		t.Errorf("a foreign token beside ours: %v, %v", got, err)
	}
	if got, err := tokenIn(map[string]json.RawMessage{"3": foreign}); err != nil || got != nil {
		t.Errorf("only a foreign token: %v, %v", got, err)
	}
}

func FuzzToken(f *testing.F) {
	b, _ := sample().encode()
	f.Add(b)
	b, _ = rekeyed().encode()
	f.Add(b)
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := decodeToken(b)
		if err != nil {
			return
		}
		again, err := tok.encode()
		if err != nil {
			return // too long for us to write
		}
		if back, err := decodeToken(again); err != nil || !back.equal(*tok) {
			t.Fatalf("%s\nbecomes %+v, %v", again, back, err)
		}
	})
}
