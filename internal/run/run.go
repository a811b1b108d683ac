// Package run is the only door to other programs: everything bootswain starts,
// it starts here, with a time limit, with LC_ALL=C, with secrets on standard
// input only, and with the program's own words kept for the error.
package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// DefaultTimeout bounds a command that names no time limit of its own.
const DefaultTimeout = 60 * time.Second

// secretOutput is how much output stays in one place while it is read, in bytes:
// whoever gets a key from a program can clear all that there is of it.
const secretOutput = 8 << 10

// Cmd is one run of a program. Secrets go into Stdin and nowhere else: Args
// are printed in errors and are visible to every process of the machine.
type Cmd struct {
	Name    string
	Args    []string
	Stdin   []byte
	Timeout time.Duration // 0 means DefaultTimeout
}

// String returns the command line; it never shows Stdin.
func (c Cmd) String() string { return strings.Join(append([]string{c.Name}, c.Args...), " ") }

// Runner runs a command and returns its standard output. A command that ran
// and failed gives an *ExitError, one that is not installed a *MissingError.
type Runner interface {
	Run(ctx context.Context, c Cmd) (stdout []byte, err error)
}

// ExitError is a program that ran and did not end with 0.
type ExitError struct {
	Cmd    string
	Code   int    // -1 when a signal or the time limit ended it
	Stderr string // the program's own words, trimmed
}

func (e *ExitError) Error() string {
	msg := fmt.Sprintf("%s: exit status %d", e.Cmd, e.Code)
	if e.Code < 0 {
		msg = e.Cmd + ": ended by a signal or its time limit"
	}
	if e.Stderr != "" {
		msg += ": " + e.Stderr
	}
	return msg
}

// MissingError is a program that is not installed.
type MissingError struct{ Name string }

func (e *MissingError) Error() string { return e.Name + " is not installed on this machine" }

// ExitCode returns the exit code in err's chain, or -1 if err is not an
// *ExitError.
func ExitCode(err error) int {
	if e, ok := errors.AsType[*ExitError](err); ok {
		return e.Code
	}
	return -1
}

// Host runs commands on this machine.
type Host struct {
	// InGroup leaves programs in this process's own group, so that who ends that
	// with all in its group ends them too.
	InGroup bool
}

// Run implements Runner. When ctx or the time limit ends, the program and all
// that it started in its process group are killed; one that even then does not
// end, because the kernel waits for a device in its name, is left behind.
func (h Host) Run(ctx context.Context, c Cmd) ([]byte, error) {
	limit := c.Timeout
	if limit == 0 {
		limit = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Name, c.Args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdin = bytes.NewReader(c.Stdin)
	var stdout, stderr bytes.Buffer
	stdout.Grow(secretOutput)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if !h.InGroup { // else the program alone is killed
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}
	cmd.WaitDelay = time.Second
	ended := make(chan error, 1)
	go func() { ended <- cmd.Run() }()
	var err error
	select {
	case err = <-ended:
	case <-after(ctx, 2*cmd.WaitDelay):
		// Killed, and still there: it waits in the kernel for a device that does
		// not answer. Its output is not ours to read yet.
		return nil, fmt.Errorf("cannot end %s after %s: it waits for a device: %w", c, limit, ctx.Err())
	}
	switch exit, isExit := errors.AsType[*exec.ExitError](err); {
	case err == nil:
		return stdout.Bytes(), nil
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return nil, &MissingError{Name: c.Name}
	case ctx.Err() != nil:
		return stdout.Bytes(), fmt.Errorf("cannot finish %s within %s: %w", c, limit, ctx.Err())
	case isExit:
		return stdout.Bytes(), &ExitError{Cmd: c.String(), Code: exit.ExitCode(), Stderr: strings.TrimSpace(stderr.String())}
	default:
		return stdout.Bytes(), fmt.Errorf("cannot run %s: %w", c, err)
	}
}

// after returns a channel that is closed some time after ctx has ended.
func after(ctx context.Context, more time.Duration) <-chan struct{} {
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(more, func() { close(closed) }) })
	return closed
}
