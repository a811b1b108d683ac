package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/luks"
	"bootswain/secret"
	"bootswain/volume"
)

const canary = "canary-canary-canary-canary-canary-canary"

// TestWithKey has this program, started again, hand a key to a cryptsetup that
// notes what it got.
func TestWithKey(t *testing.T) {
	if os.Getenv("WITH_KEY") != "" {
		err := (&Agent{out: os.Stdout, run: printer{}}).WithKey(t.Context(), os.Stdin)
		if d, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); d != 0 || err != nil {
			fmt.Fprintln(os.Stderr, "dumpable:", d, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getuid() != 0 {
		t.Skip("whose a program is only root can say")
	}
	dir := t.TempDir()
	tool := "#!/bin/sh\ncat >" + dir + "/got\necho \"$@\" >" + dir + "/args\nulimit -c >>" + dir + "/args\nexit $(cat " + dir + "/code)\n"
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("cryptsetup", tool, 0o755)
	t.Setenv("WITH_KEY", "1")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	a := &Agent{run: run.Host{}, self: []string{os.Args[0], "-test.run=^TestWithKey$"}}
	open := volume.Deed{Kind: volume.DeedOpen, Device: "/dev/md127", Mapping: "bootswain-data"}
	source := []byte(`{"command":["/usr/bin/printf"]}`)
	for code, want := range map[string]error{"0": nil, "2": luks.ErrWrongKey, "5": luks.ErrBusy} {
		write("code", code, 0o644)
		if _, err := a.withKeyElsewhere(t.Context(), source, open); !errors.Is(err, want) {
			t.Errorf("cryptsetup ends with %s: %v, want %v", code, err, want)
		}
		got, err := os.ReadFile(filepath.Join(dir, "got"))
		if err != nil || string(got) != canary {
			t.Errorf("cryptsetup got %q, %v", got, err)
		}
		args, err := os.ReadFile(filepath.Join(dir, "args"))
		if err != nil || !bytes.Contains(args, []byte("/dev/md127 bootswain-data\n0\n")) {
			t.Errorf("cryptsetup was started with %s, %v", args, err)
		}
	}
	_, err := a.withKeyElsewhere(t.Context(), source, volume.Deed{Kind: "eat"})
	if err == nil || !strings.Contains(err.Error(), `cannot do "eat" with a key`) {
		t.Error(err)
	}
	_, err = a.withKeyElsewhere(t.Context(), []byte(`{"unlock":true}`), open)
	if s := situation.Of(err); s == nil || !errors.Is(err, secret.ErrBrought) || s.Error() != "LOCKED key: its key is brought from outside. Data untouched." {
		t.Error(err)
	}
}

// printer stands for a program of the image that prints a key, and is this
// machine for everything else.
type printer struct{}

func (printer) Run(ctx context.Context, c run.Cmd) ([]byte, error) {
	if c.Name == "/usr/bin/printf" {
		return []byte(canary), nil
	}
	return run.Host{}.Run(ctx, c)
}

// speaks is a process that says something else.
type speaks string

func (s speaks) Run(context.Context, run.Cmd) ([]byte, error) {
	if s == "crashes" {
		return []byte("half"), &run.ExitError{Cmd: "with-key", Code: 2, Stderr: "goroutine 1 [running]:"}
	}
	return []byte(s), nil
}

func TestWithKeyFails(t *testing.T) {
	for out, want := range map[speaks]string{
		"crashes": "the process that gets the key ended with status 2", "": "gave no answer", "{": "gave no answer", `{"Fault":"no room"}`: "no room",
	} {
		a := &Agent{run: out, self: []string{"self"}}
		if _, err := a.withKeyElsewhere(t.Context(), nil, volume.Deed{}); err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "goroutine") {
			t.Errorf("%q: %v, want %s", string(out), err, want)
		}
	}
}
