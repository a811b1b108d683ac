package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Output is how a command in the guest went.
type Output struct {
	Stdout, Stderr string
	Code           int // exit status; 128 and the signal's number if a signal ended it, as shells say it
}

// OK returns an error that tells all, unless the command succeeded.
func (o Output) OK() error {
	if o.Code == 0 {
		return nil
	}
	return fmt.Errorf("exit status %d: %s", o.Code, strings.TrimSpace(o.Stderr+o.Stdout))
}

// Ready waits until the guest runs commands. That needs the guest agent and
// neither network nor accounts.
func (m *Machine) Ready(ctx context.Context) error {
	return m.wait(ctx, "the guest agent", func() bool { return m.ready })
}

// Run runs a command as root and waits for its end; the error is for commands
// that could not be run. The command goes on in the guest if ctx ends first.
func (m *Machine) Run(ctx context.Context, name string, args ...string) (Output, error) {
	return m.RunInput(ctx, nil, name, args...)
}

// Shell runs a script as root with sh. A failing script is an error.
func (m *Machine) Shell(ctx context.Context, script string) (stdout string, err error) {
	out, err := m.Run(ctx, "sh", "-euc", script)
	if err == nil {
		err = out.OK()
	}
	return out.Stdout, err
}

// RunInput is Run with standard input.
func (m *Machine) RunInput(ctx context.Context, stdin []byte, name string, args ...string) (Output, error) {
	if err := m.Ready(ctx); err != nil {
		return Output{}, err
	}
	m.mu.Lock()
	agent := m.agent
	m.mu.Unlock()
	var started struct {
		PID int `json:"pid"`
	}
	command := map[string]any{"path": name, "arg": append([]string{}, args...), "capture-output": true}
	if stdin != nil {
		command["input-data"] = stdin
	}
	err := agent.Do(ctx, "guest-exec", command, &started)
	if err != nil {
		return Output{}, fmt.Errorf("cannot run %s in the guest: %w", name, err)
	}
	var s execStatus
	// The agent tells of no end by itself; asking costs the guest something.
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 320*time.Millisecond) {
		if err := agent.Do(ctx, "guest-exec-status", started, &s); err != nil {
			return Output{}, fmt.Errorf("cannot learn how %s went in the guest: %w", name, err)
		}
		if s.Exited {
			return s.output()
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return Output{}, fmt.Errorf("%s in the guest does not end: %w", name, ctx.Err())
		}
	}
}

// execStatus is the answer to guest-exec-status.
type execStatus struct {
	Exited       bool   `json:"exited"`
	ExitCode     int    `json:"exitcode"`
	Signal       int    `json:"signal"`
	OutData      []byte `json:"out-data"`
	ErrData      []byte `json:"err-data"`
	OutTruncated bool   `json:"out-truncated"`
	ErrTruncated bool   `json:"err-truncated"`
}

func (s execStatus) output() (Output, error) {
	o := Output{Stdout: string(s.OutData), Stderr: string(s.ErrData), Code: s.ExitCode}
	if s.Signal != 0 {
		o.Code = 128 + s.Signal
	}
	if s.OutTruncated || s.ErrTruncated {
		return o, errors.New("the command wrote more than the guest agent keeps")
	}
	return o, nil
}

// WriteFile puts a file into the guest, in place of any that is there.
func (m *Machine) WriteFile(ctx context.Context, path string, data []byte, mode int) error {
	out, err := m.RunInput(ctx, data, "sh", "-euc", `cat >"$1.part"; chmod "$2" "$1.part"; mv "$1.part" "$1"`, "sh", path, strconv.FormatInt(int64(mode), 8))
	if err == nil {
		err = out.OK()
	}
	if err != nil {
		return fmt.Errorf("cannot write %s in the guest: %w", path, err)
	}
	return nil
}

// ReadFile gets a file of the guest.
func (m *Machine) ReadFile(ctx context.Context, path string) ([]byte, error) {
	out, err := m.Run(ctx, "cat", path)
	if err == nil {
		err = out.OK()
	}
	return []byte(out.Stdout), err
}

// Uptime is the guest's monotonic clock: the time since its kernel started.
func (m *Machine) Uptime(ctx context.Context) (time.Duration, error) {
	b, err := m.ReadFile(ctx, "/proc/uptime")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	return time.ParseDuration(first + "s")
}

// Entry is a line of the guest's journal.
type Entry struct {
	Time     time.Duration // on the guest's monotonic clock
	Boot     string        // the boot's id
	Unit     string
	Priority int // as in syslog: 0 emergency, 3 error, 6 info
	PID      int
	Message  string
}

// Journal returns the journal's lines that journalctl selects with these
// arguments, for instance "-b", "-u", "bootswain.service".
func (m *Machine) Journal(ctx context.Context, args ...string) ([]Entry, error) {
	out, err := m.Run(ctx, "journalctl", append([]string{"-o", "json", "--no-pager", "--all", "-q",
		"--output-fields=__MONOTONIC_TIMESTAMP,_BOOT_ID,_SYSTEMD_UNIT,UNIT,PRIORITY,_PID,MESSAGE"}, args...)...)
	if err == nil {
		err = out.OK()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the guest's journal: %w", err)
	}
	return parseJournal(out.Stdout)
}

// parseJournal reads systemd's journal JSON: strings throughout, but for
// messages that are not text, which are lists of bytes.
func parseJournal(lines string) ([]Entry, error) {
	var entries []Entry
	for line := range strings.Lines(lines) {
		var raw struct {
			Time     string          `json:"__MONOTONIC_TIMESTAMP"`
			Boot     string          `json:"_BOOT_ID"`
			Of       string          `json:"_SYSTEMD_UNIT"`
			About    string          `json:"UNIT"`
			Priority string          `json:"PRIORITY"`
			PID      string          `json:"_PID"`
			Message  json.RawMessage `json:"MESSAGE"`
		}
		if err := json.Unmarshal([]byte(line), &raw); err != nil {
			return nil, fmt.Errorf("cannot read the journal line %q: %w", line, err)
		}
		e := Entry{Boot: raw.Boot, Unit: raw.Of, Message: text(raw.Message)}
		if raw.About != "" { // systemd itself, speaking of a unit
			e.Unit = raw.About
		}
		us, err := strconv.ParseInt(raw.Time, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("cannot read the time of the journal line %q: %w", line, err)
		}
		e.Time = time.Duration(us) * time.Microsecond
		e.Priority, _ = strconv.Atoi(raw.Priority) // not every line has one
		e.PID, _ = strconv.Atoi(raw.PID)
		entries = append(entries, e)
	}
	return entries, nil
}

func text(message json.RawMessage) string {
	var s string
	if json.Unmarshal(message, &s) == nil {
		return s
	}
	var numbers []byte
	var list []int
	if json.Unmarshal(message, &list) == nil {
		for _, n := range list {
			numbers = append(numbers, byte(n))
		}
	}
	return string(numbers)
}
