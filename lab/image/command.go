package image

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// contained runs a program in dir that may mount things or start daemons. It lives
// in mount and process namespaces of its own, so that when it ends, is
// interrupted, or loses its parent, every process and mount of it is gone.
func contained(ctx context.Context, log io.Writer, dir string, argv []string) error {
	unshare := []string{"--wd", dir, "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL", "--"}
	return command(ctx, log, "unshare", append(unshare, argv...)...)
}

// command runs a program with its output going to log, killed with its
// process group when ctx ends, and by the kernel when this process dies.
func command(ctx context.Context, log io.Writer, name string, args ...string) error {
	// Pdeathsig is sent when the thread that started the child ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tail := &lastLines{}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	cmd.Stdout = io.MultiWriter(log, tail)
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s interrupted: %w", name, ctx.Err())
	default:
		return fmt.Errorf("%s %s: %w; it said last:\n%s", name, strings.Join(args, " "), err, tail)
	}
}

// lastLines keeps the end of what was written to it.
type lastLines struct{ b []byte }

func (l *lastLines) Write(p []byte) (int, error) {
	l.b = append(l.b, p...)
	if over := len(l.b) - 2000; over > 0 {
		l.b = append(l.b[:0], l.b[over:]...)
	}
	return len(p), nil
}

func (l *lastLines) String() string { return strings.TrimSpace(string(l.b)) }
