package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/lab/nbd"
)

// up starts an owner without a machine.
func up(t *testing.T) (*Client, string, chan error) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	noProbe(t)
	dir, err := os.MkdirTemp("", "lab") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, "orders", dir) }()
	t.Cleanup(func() {
		end()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	c := NewClient(dir)
	if err := WaitUp(t.Context(), c, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	return c, dir, served
}

// noProbe answers the question for acceleration beforehand.
func noProbe(t *testing.T) {
	t.Helper()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(os.Getenv("XDG_CACHE_HOME"), "bootswain", "lab", "accel-"+strings.TrimSpace(string(boot)))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("tcg"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func call(t *testing.T, c *Client, verb string, args, result any) {
	t.Helper()
	if err := c.Call(t.Context(), io.Discard, verb, args, result); err != nil {
		t.Fatal(err)
	}
}

func TestLifeWithoutAMachine(t *testing.T) {
	c, dir, served := up(t)
	var id string
	call(t, c, "volume", 1<<20, &id)
	fault := nbd.Fault{ReadError: true, Delay: time.Second}
	call(t, c, "fault", Fault{Volume: "1", Fault: fault}, nil)
	var st Status
	call(t, c, "status", none{}, &st)
	if st.Name != "orders" || st.Accel != "tcg" || st.On || len(st.Volumes) != 1 || st.Volumes[0].ID != id || st.Volumes[0].Fault != fault {
		t.Errorf("%+v", st)
	}
	for verb, args := range map[string]any{"cut": Cut{}, "reboot": none{}, "attach": Attach{Volume: "1"}, "pull": "1", "run": Run{Args: []string{"true"}}} {
		err := c.Call(t.Context(), io.Discard, verb, args, nil)
		if err == nil || err.Error() != "this laboratory has no machine" {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if err := Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	served <- <-served // it has ended; how is for the cleanup
	if err := c.Call(t.Context(), io.Discard, "status", none{}, nil); !errors.Is(err, ErrNotUp) {
		t.Errorf("after down: %v", err)
	}
}

func TestVolumeNames(t *testing.T) {
	c, _, _ := up(t)
	var first, second string
	call(t, c, "volume", 1<<20, &first)
	call(t, c, "volume", 1<<20, &second)
	for name, want := range map[string]string{
		"2": "", second: "", second[:12]: "",
		"3":    `0 volumes are called "3"; see: lab status`,
		"vol-": `2 volumes are called "vol-"; see: lab status`,
	} {
		err := c.Call(t.Context(), io.Discard, "fault", Fault{Volume: name}, nil)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDirRefusesOddNames(t *testing.T) {
	for _, name := range []string{"", "..", "a/b", "Lab", "-a", strings.Repeat("a", 32)} {
		if _, err := Dir(name); err == nil || !strings.Contains(err.Error(), "is no name for a laboratory") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestStream(t *testing.T) {
	var wire bytes.Buffer
	s := &stream{to: json.NewEncoder(&wire), flush: func() error { return nil }}
	for _, part := range []string{"one\ntw", "o\n", "three"} {
		if _, err := io.WriteString(s, part); err != nil {
			t.Fatal(err)
		}
	}
	s.send(message{Result: json.RawMessage(`7`)})
	var log bytes.Buffer
	var result int
	if err := read(&wire, &log, &result); err != nil || result != 7 || log.String() != "one\ntwo\n" {
		t.Errorf("%d, %q, %v", result, log.String(), err)
	}
	if err := read(strings.NewReader(`{"line":"x"}`), io.Discard, nil); err == nil || err.Error() != "the laboratory went away: EOF" {
		t.Errorf("an answer that stops: %v", err)
	}
}
