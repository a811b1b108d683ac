package run

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestHost(t *testing.T) {
	sh := func(script string) Cmd { return Cmd{Name: "sh", Args: []string{"-c", script}} }
	out, err := Host{}.Run(t.Context(), Cmd{Name: "sh", Args: []string{"-c", "cat; echo $LC_ALL"}, Stdin: []byte("secret ")})
	if err != nil || string(out) != "secret C\n" {
		t.Errorf("got %q, %v, want what came in and the plain locale", out, err)
	}
	_, err = Host{}.Run(t.Context(), sh("echo no such disk >&2; exit 5"))
	if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Code != 5 || exit.Stderr != "no such disk" || ExitCode(err) != 5 {
		t.Errorf("a failing program: %v, want exit code 5 and its own words", err)
	}
	_, err = Host{}.Run(t.Context(), Cmd{Name: "no-such-program"})
	if missing, ok := errors.AsType[*MissingError](err); !ok || missing.Name != "no-such-program" || ExitCode(err) != -1 {
		t.Errorf("a program that is not there: %v, want that it is not installed", err)
	}
}

// TestHostKillsTheWholeGroup ends a program whose child holds its output open,
// which would otherwise keep the caller waiting for as long as the child lives.
func TestHostKillsTheWholeGroup(t *testing.T) {
	began := time.Now()
	_, err := Host{}.Run(t.Context(), Cmd{Name: "sh", Args: []string{"-c", "sleep 600 & sleep 600"}, Timeout: 50 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cannot finish sh -c") {
		t.Errorf("got %v, want that the time limit ended it", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the call ended after %s, though its limit was 50ms", took)
	}
}

func TestCmdShowsNoInput(t *testing.T) {
	c := Cmd{Name: "cryptsetup", Args: []string{"open", "--key-file=-"}, Stdin: []byte("canary")}
	if got := c.String(); got != "cryptsetup open --key-file=-" {
		t.Errorf("got %q", got)
	}
	_, err := Host{}.Run(t.Context(), Cmd{Name: "false", Stdin: []byte("canary")})
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v, want a failure that does not show the input", err)
	}
}
