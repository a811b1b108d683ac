package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/internal/run"
)

// journal answers journalctl.
type journal struct {
	text string
	err  error
}

func (j journal) Run(context.Context, run.Cmd) ([]byte, error) { return []byte(j.text), j.err }

// TestRecovering: MariaDB writes to the journal, MySQL to a file of its own; what
// that holds of an earlier start is not of this one.
func TestRecovering(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile("../mysql/testdata/recovery-" + name + ".log")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	maria, _, _ := strings.Cut(read("mariadb-11.8"), "2026-11-22 19:49:28 0 [Note] InnoDB: To recover: LSN 247944493")
	batch, _, _ := strings.Cut(read("mysql-9.7-verbose"), "[MY-012535]")
	few, _, _ := strings.Cut(read("mysql-9.7"), "2026-11-22T19:49:36.27")
	file := filepath.Join(t.TempDir(), "error.log")
	before := errorLogs
	t.Cleanup(func() { errorLogs = before })
	errorLogs = []string{filepath.Join(t.TempDir(), "none"), file}
	now := time.Now()
	for name, c := range map[string]struct {
		journal journal
		file    string
		since   time.Time
		want    string
	}{
		"MariaDB in the journal":        {journal{text: maria}, "", now, "InnoDB redo 82 %, about 1s"},
		"no journal":                    {journal{err: errors.New("not installed")}, maria, now.Add(-time.Minute), "InnoDB redo 82 %, about 1s"},
		"MySQL in its file":             {journal{}, strings.Repeat("an older line\n", logTail/10) + batch, now.Add(-time.Minute), "InnoDB redo 100 %"},
		"of another start":              {journal{}, batch, now.Add(time.Hour), ""},
		"MySQL starts as always":        {journal{}, few, now.Add(-5 * time.Second), ""},
		"MySQL takes long to start":     {journal{}, few, now.Add(-2 * time.Minute), "InnoDB takes long to start, as after a crash"},
		"a server that answers already": {journal{text: read("mariadb-11.8")}, "", now, ""},
	} {
		if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ""
		if r := (&Agent{run: c.journal}).recovering(t.Context(), "x.service", c.since); r != nil {
			got = r.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
