package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"bootswain/lab"
)

// watch tells how a machine comes up, in seconds since the power came.
type watch struct {
	log   io.Writer
	since time.Time
}

func newWatch(log io.Writer) *watch { return &watch{log, time.Now()} }

func (w *watch) say(format string, args ...any) { w.at(time.Now(), format, args...) }

func (w *watch) at(when time.Time, format string, args ...any) {
	fmt.Fprintf(w.log, "%6.1fs  %s\n", when.Sub(w.since).Seconds(), fmt.Sprintf(format, args...))
}

// boot follows the machine until it runs commands, the agent, if it has one,
// has said something, and SSH answers.
func (w *watch) boot(ctx context.Context, m *lab.Machine, agent bool) error {
	if err := m.Ready(ctx); err != nil {
		return err
	}
	up, err := m.Uptime(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	kernel := now.Add(-up)
	w.at(kernel, "the kernel starts")
	w.at(now, "the guest runs commands")
	if agent {
		if err := lab.WaitFor(ctx, "the agent", func(ctx context.Context) error { return w.agent(ctx, m, kernel) }); err != nil {
			return err
		}
	}
	if err := lab.WaitFor(ctx, "SSH", func(ctx context.Context) error { return banner(ctx, m.Addr(22)) }); err != nil {
		return err
	}
	w.say("SSH answers")
	return nil
}

// agent tells when the agent said its first line in this boot.
func (w *watch) agent(ctx context.Context, m *lab.Machine, kernel time.Time) error {
	lines, err := m.Journal(ctx, "-b", "_COMM=bootswain")
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return errors.New("it has said nothing")
	}
	w.at(kernel.Add(lines[0].Time), "bootswain's first line, %.1fs after the kernel: %s", lines[0].Time.Seconds(), lines[0].Message)
	return nil
}

// banner waits for what an SSH server says first. QEMU accepts connections for
// the guest, so that a connection alone proves nothing.
func banner(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "SSH-") {
		err = fmt.Errorf("port 22 says %q", line)
	}
	return err
}
