package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"bootswain/health"
	"bootswain/internal/situation"
)

// StatusOptions say how status is shown.
type StatusOptions struct {
	JSON  bool
	Steps bool          // show what was done since boot, and how long it took
	Wait  time.Duration // how long to wait for everything to be ready; 0: not at all
}

// Status prints how things are. It returns the situations that are not well,
// without printing them twice, as an error with their exit code.
func (a *Agent) Status(ctx context.Context, o StatusOptions) error {
	report, daemon := health.Latest(statusFile, health.Uptime())
	for until := time.Now().Add(o.Wait); o.Wait > 0 && !settled(report, daemon) && time.Now().Before(until); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		report, daemon = health.Latest(statusFile, health.Uptime())
	}
	if report == nil {
		return daemon.Sentence.Situation()
	}
	if err := a.show(*report, daemon, o); err != nil {
		return err
	}
	return told(append([]health.Check{daemon}, report.Checks...))
}

func settled(r *health.Report, daemon health.Check) bool {
	return r != nil && daemon.Status == health.Pass && health.Settled(r.Checks)
}

func (a *Agent) show(r health.Report, daemon health.Check, o StatusOptions) error {
	if o.JSON {
		r.Checks = append([]health.Check{daemon}, r.Checks...)
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	v := health.View{Steps: o.Steps}
	v.Colour, v.Width = terminal(a.out)
	return health.Text(a.out, r, daemon, v)
}

// terminal says whether out is a terminal, and how wide.
func terminal(out io.Writer) (colour bool, width int) {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false, 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return true, 0
	}
	return true, width
}

// toldError is what status has already printed; only its exit code is left.
type toldError struct{ error }

func (e toldError) Unwrap() error { return e.error }

// told returns the checks that do not pass as an error for the exit code. A busy
// processor, say, is shown and is no failure of the command.
func told(checks []health.Check) error {
	var worst error
	for _, c := range checks {
		if c.Status == health.Pass || c.Quiet && c.Status == health.Warn {
			continue
		}
		s := c.Sentence.Situation()
		if s.Word == situation.Ready {
			continue
		}
		if worst == nil || rank(codeOf(s)) < rank(ExitCode(worst)) {
			worst = toldError{fmt.Errorf("%w", s)}
		}
	}
	return worst
}
