package secret

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "canary-canary-canary-canary-canary-canary"

func canaryKey(t *testing.T) *Key {
	t.Helper()
	k, err := New([]byte(canary))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// leaks reports whether s shows the canary as text, hexadecimal or decimal.
func leaks(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "canary") || strings.Contains(s, fmt.Sprintf("%x", "canary")) ||
		strings.Contains(s, strings.Trim(fmt.Sprint([]int{99, 97, 110, 97, 114, 121}), "[]")) || strings.Contains(s, "63 61 6e") || strings.Contains(s, "0x63, 0x61")
}

func TestKeyNeverPrints(t *testing.T) {
	k := canaryKey(t)
	type exported struct {
		P *Key
		V Key
	}
	type hidden struct {
		p *Key
		v Key
		l []Key
	}
	values := map[string]any{
		"pointer": k, "value": *k, "exported": exported{k, *k}, "hidden": hidden{k, *k, []Key{*k}},
		"pointer to hidden": &hidden{k, *k, []Key{*k}}, "slice": []*Key{k}, "map": map[string]Key{"k": *k},
		"error": fmt.Errorf("with %v and %s", k, *k),
	}
	flags := []string{"", "+", "#", "-", " ", "0", "+#", "20", ".3"}
	for name, v := range values {
		for verb := byte('A'); verb <= 'z'; verb++ {
			if verb > 'Z' && verb < 'a' {
				continue
			}
			for _, flag := range flags {
				if out := fmt.Sprintf("%"+flag+string(verb), v); leaks(out) {
					t.Errorf("%s with %%%s%c prints %s", name, flag, verb, out)
				}
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "k", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "k", v)
		j, _ := json.Marshal(v)
		x, _ := xml.Marshal(v)
		var g bytes.Buffer
		_ = gob.NewEncoder(&g).Encode(v)
		for how, out := range map[string]string{"slog": log.String(), "json": string(j), "xml": string(x), "gob": g.String()} {
			if leaks(out) {
				t.Errorf("%s by %s shows %s", name, how, out)
			}
		}
	}
	if got := fmt.Sprintf("%v %s %x %d %+v %#v %q", k, k, k, k, *k, *k, *k); got != strings.TrimSpace(strings.Repeat("[key] ", 7)) {
		t.Errorf("printed as %s", got)
	}
	if j, err := json.Marshal(exported{k, *k}); err != nil || string(j) != `{"P":"[key]","V":"[key]"}` {
		t.Errorf("json: %s, %v", j, err)
	}
}

func TestLeaksFindsTheCanary(t *testing.T) {
	for _, verb := range []string{"%s", "%v", "%d", "%x", "%X", "%q", "%#v", "% x"} {
		if out := fmt.Sprintf(verb, []byte(canary)); !leaks(out) {
			t.Errorf("the test's own eye misses %s: %s", verb, out)
		}
	}
}

func TestKeyLife(t *testing.T) {
	src := []byte(canary)
	k, err := New(src)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(src, make([]byte, len(src))) {
		t.Error("New left the bytes where they were")
	}
	var inside []byte
	if err := k.Use(func(b []byte) error { inside = b; return nil }); err != nil || string(inside) != canary {
		t.Fatalf("Use: %q, %v", inside, err)
	}
	k.Destroy()
	k.Destroy()
	(*Key)(nil).Destroy()
	if !bytes.Equal(inside, make([]byte, len(inside))) {
		t.Error("Destroy left the bytes")
	}
	if err := k.Use(func([]byte) error { return nil }); !errors.Is(err, errDestroyed) {
		t.Errorf("Use after Destroy: %v", err)
	}
	if a, b := Random(), Random(); len(*a.box.b) != RandomSize || bytes.Equal(*a.box.b, *b.box.b) {
		t.Error("Random is not random")
	}
	for _, n := range []int{0, MinSize - 1, MaxSize + 1} {
		if _, err := New(make([]byte, n)); err == nil || !strings.Contains(err.Error(), "want 32 to 4096") {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
}

func TestBrought(t *testing.T) {
	for size, want := range map[int]string{0: "cannot use a key of 0 bytes: want 1 to 4096", 1: "", MaxSize: "", MaxSize + 1: "cannot use a key of 4097 bytes"} {
		b := bytes.Repeat([]byte("k"), size)
		_, err := Brought(b)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v, want %q", size, err, want)
		}
		if bytes.ContainsRune(b, 'k') {
			t.Errorf("%d bytes are left where they were", size)
		}
	}
}

func TestEqual(t *testing.T) {
	one, two, dead := canaryKey(t), canaryKey(t), canaryKey(t)
	dead.Destroy()
	if !one.Equal(two) || one.Equal(Random()) || one.Equal(dead) {
		t.Error("keys are equal that are not, or the other way round")
	}
}
