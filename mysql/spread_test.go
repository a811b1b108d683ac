package mysql

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/systemd"
)

// spreading is a volume with databases beside one for the rest of their files.
func spreading(t *testing.T) (m Move, logs string, asked []Elsewhere) {
	t.Helper()
	m, root := newMove(t)
	if _, err := m.TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs = filepath.Join(root, "logs")
	write(t, logs, map[string]string{"lost+found/": ""})
	for _, p := range Parts {
		asked = append(asked, Elsewhere{p, "logs", logs})
	}
	return m, logs, asked
}

const (
	spreadData = ".bootswain .bootswain-elsewhere .bootswain-fresh #binary_logs #redo_log #tmpdir aria_log_control ibdata1 mariadb_upgrade_info mysql mysql/db.frm"
	spreadLogs = "lost+found mysql-binary_logs mysql-binary_logs/.bootswain mysql-redo_log mysql-redo_log/.bootswain mysql-redo_log/ib_logfile0 mysql-tmpdir"
)

// whole checks that everything is where it belongs, and belongs together.
func whole(t *testing.T, m Move, logs string, asked []Elsewhere, redo string) {
	t.Helper()
	want := slices.Sorted(slices.Values(strings.Fields(spreadData)))
	if got := tree(t, m.target()); got != strings.Join(want, " ") {
		t.Errorf("the data directory has %s, want %s", got, want)
	}
	if got := tree(t, logs); got != spreadLogs {
		t.Errorf("the other volume has %s, want %s", got, spreadLogs)
	}
	if got, err := os.ReadFile(filepath.Join(logs, "mysql-redo_log/ib_logfile0")); err != nil || string(got) != redo {
		t.Errorf("the redo log is another, or %v", err)
	}
	p, err := readPair(m.target())
	if err != nil || p.Parts[RedoLog].Inside || len(p.Parts) != 2 {
		t.Errorf("the data directory says %+v, %v", p, err)
	}
	for _, e := range asked[:2] {
		var is tag
		if err := readJSON(e.Dir(), sentinel, &is); err != nil || !slices.Equal(is.Marks, []string{p.Mark}) {
			t.Errorf("%s says %+v, %v, want %s", e.Dir(), is, err, p.Mark)
		}
	}
}

// breaking fails all programs.
type breaking struct{}

func (breaking) Run(context.Context, run.Cmd) ([]byte, error) { return nil, errors.New("cut off") }

// truncating copies the beginning of a file and says that all went well.
type truncating struct{}

func (truncating) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	from, to := c.Args[len(c.Args)-2], c.Args[len(c.Args)-1]
	return nil, os.WriteFile(filepath.Join(to, filepath.Base(from)), []byte("x"), 0o600)
}

// TestSpread: cut off wherever it leaves a mark, it ends with the one redo log that
// there was.
func TestSpread(t *testing.T) {
	for name, cut := range map[string]func(t *testing.T, m Move, logs string, asked []Elsewhere){
		"at once":   func(*testing.T, Move, string, []Elsewhere) {},
		"once more": func(t *testing.T, m Move, _ string, asked []Elsewhere) { must(t, m.Spread(t.Context(), asked)) },
		"empty dirs": func(t *testing.T, _ Move, logs string, _ []Elsewhere) {
			write(t, logs, map[string]string{"mysql-redo_log/": "", "mysql-tmpdir/": ""})
		},
		"cut off before the copy": func(t *testing.T, m Move, _ string, asked []Elsewhere) {
			m.Run = breaking{}
			wantError(t, m.Spread(t.Context(), asked), "cannot copy the redo log to volume logs: cut off")
		},
		"while the gate is asked": func(_ *testing.T, m Move, _ string, _ []Elsewhere) {
			m.Units.(*fakeUnits).units[m.Server.Unit] = systemd.State{Name: m.Server.Unit, Load: "loaded", Active: "activating", Sub: "condition"}
		},
		"a copy that is not whole": func(t *testing.T, m Move, _ string, asked []Elsewhere) {
			m.Run = truncating{}
			wantError(t, m.Spread(t.Context(), asked), "mysql-redo_log/ib_logfile0 is not what it was copied from")
		},
		"cut off in the copy": func(t *testing.T, _ Move, logs string, _ []Elsewhere) {
			write(t, logs, map[string]string{"mysql-redo_log/.bootswain-unfinished": "", "mysql-redo_log/ib_logfile0": "half"})
		},
		"cut off once the copy is marked": func(t *testing.T, _ Move, logs string, _ []Elsewhere) {
			write(t, logs, map[string]string{"mysql-redo_log/.bootswain-unfinished": "", "mysql-redo_log/.bootswain": `{"marks":["m"]}`, "mysql-redo_log/ib_logfile0": "older"})
		},
		"cut off once the data directory says it": func(t *testing.T, m Move, logs string, asked []Elsewhere) {
			redo, err := os.ReadFile(filepath.Join(m.target(), "ib_logfile0"))
			must(t, err)
			must(t, m.Spread(t.Context(), asked))
			p, err := readPair(m.target())
			must(t, err)
			p.Parts[RedoLog] = parted{Volume: "logs", Inside: true}
			must(t, p.write(m.target()))
			write(t, m.target(), map[string]string{"ib_logfile0": string(redo)})
			write(t, logs, map[string]string{"mysql-redo_log/.bootswain-unfinished": ""})
		},
		"cut off between two marks": func(t *testing.T, m Move, _ string, asked []Elsewhere) {
			must(t, m.Spread(t.Context(), asked))
			p, err := readPair(m.target())
			must(t, err)
			must(t, writeTag(asked[0], p.Mark, "next"))
			must(t, writeTag(asked[1], "before", p.Mark))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, logs, asked := spreading(t)
			redo, err := os.ReadFile(filepath.Join(m.target(), "ib_logfile0"))
			must(t, err)
			cut(t, m, logs, asked)
			must(t, m.Spread(t.Context(), asked))
			whole(t, m, logs, asked, string(redo))
		})
	}
}

// TestSpreadHolds is what is not of these databases, and what would be lost.
func TestSpreadHolds(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, m *Move, logs string, asked *[]Elsewhere)
		word situation.Word
		want string
	}{
		{"an older copy of the redo log", func(t *testing.T, m *Move, logs string, asked *[]Elsewhere) {
			must(t, m.Spread(t.Context(), *asked))
			must(t, os.CopyFS(logs+".old", os.DirFS(logs)))
			must(t, m.Spread(t.Context(), *asked))
			must(t, os.RemoveAll(logs))
			must(t, os.Rename(logs+".old", logs))
		}, situation.Held, "the binary logs on volume logs are of other databases, or of another time of these; untouched."},
		{"an older copy of the data", func(t *testing.T, m *Move, _ string, asked *[]Elsewhere) {
			must(t, m.Spread(t.Context(), *asked))
			p, err := readPair(m.target())
			must(t, err)
			must(t, m.Spread(t.Context(), *asked))
			must(t, p.write(m.target()))
		}, situation.Held, "on volume logs are of other databases"},
		{"a blank volume in the redo log's place", func(t *testing.T, m *Move, logs string, asked *[]Elsewhere) {
			must(t, m.Spread(t.Context(), *asked))
			must(t, os.RemoveAll(logs))
			must(t, os.Mkdir(logs, 0o755))
		}, situation.Held, "on volume logs are of other databases"},
		{"the redo log of others", func(t *testing.T, _ *Move, logs string, _ *[]Elsewhere) {
			write(t, logs, map[string]string{"mysql-redo_log/ib_logfile0": "", "mysql-redo_log/.bootswain": `{"marks":["x"]}`})
		}, situation.Refused, "mysql-redo_log holds .bootswain, ib_logfile0, which is not of these databases; nothing written."},
		{"a file in the way", func(t *testing.T, _ *Move, logs string, _ *[]Elsewhere) {
			write(t, logs, map[string]string{"mysql-tmpdir": ""})
		}, situation.Refused, "mysql-tmpdir is not a directory; nothing written."},
		{"binary logs with the data", func(t *testing.T, m *Move, _ string, _ *[]Elsewhere) {
			write(t, m.target(), map[string]string{"binlog.000001": "", "binlog.index": ""})
		}, situation.Held, "has binary logs of its own, like binlog.000001; untouched."},
		{"data without a redo log", func(t *testing.T, m *Move, _ string, _ *[]Elsewhere) {
			must(t, os.Remove(filepath.Join(m.target(), "ib_logfile0")))
		}, situation.Held, "has no redo log, without which the databases are damaged; untouched."},
		{"something at the mount point", func(t *testing.T, m *Move, _ string, _ *[]Elsewhere) {
			write(t, m.target(), map[string]string{"#redo_log/ib_logfile0": ""})
		}, situation.Refused, "#redo_log is to be a mount point, and holds ib_logfile0; nothing written."},
		{"a server that runs", func(_ *testing.T, m *Move, _ string, _ *[]Elsewhere) {
			m.Units = &fakeUnits{units: map[string]systemd.State{m.Server.Unit: running(m.Server.Unit)}}
		}, situation.Held, "it runs; its files go to volume logs while it does not."},
		{"launch data that forget the redo log", func(t *testing.T, m *Move, _ string, asked *[]Elsewhere) {
			must(t, m.Spread(t.Context(), *asked))
			*asked = slices.Delete(*asked, 1, 2)
		}, situation.Held, "its redo log is on volume logs, and the launch data name none for that; untouched."},
		{"launch data that name another volume", func(t *testing.T, m *Move, _ string, asked *[]Elsewhere) {
			must(t, m.Spread(t.Context(), *asked))
			(*asked)[1].Volume = "fast"
		}, situation.Held, "its redo log is on volume logs, and the launch data name fast for that; untouched."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, logs, asked := spreading(t)
			tt.make(t, &m, logs, &asked)
			before := content(t, m.target()) + content(t, logs)
			err := m.Spread(t.Context(), asked)
			wantError(t, err, tt.want)
			wantWord(t, err, tt.word)
			if after := content(t, m.target()) + content(t, logs); tt.word == situation.Held && strings.Contains(tt.want, "of another time") && after != before {
				t.Errorf("changed\n%s\nto\n%s", before, after)
			}
		})
	}
}

// content is all files of a directory.
func content(t *testing.T, dir string) string {
	t.Helper()
	all := map[string]string{}
	for _, name := range strings.Fields(tree(t, dir)) {
		b, _ := os.ReadFile(filepath.Join(dir, name)) // nothing, of a directory
		all[name] = string(b)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text.WriteString(name + "=" + all[name] + "\n")
	}
	return text.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSettings(t *testing.T) {
	asked := []Elsewhere{{Part: BinaryLogs}, {Part: RedoLog}, {Part: TmpDir}}
	const both = "sync_binlog = 1\nlog_bin = \"/var/lib/mysql/#binary_logs/binlog\"\nlog_bin_index = \"/var/lib/mysql/#binary_logs/binlog.index\"\ninnodb_log_group_home_dir = \"/var/lib/mysql/#redo_log\"\ntmpdir = \"/var/lib/mysql/#tmpdir\"\n"
	if got := settings(asked, MySQL); got != both {
		t.Errorf("MySQL is told\n%s", got)
	}
	got := settings(asked, MariaDB)
	for line := range strings.Lines(both + "ignore_db_dirs = \"#binary_logs\"\nignore_db_dirs = \"#redo_log\"\nignore_db_dirs = \"#tmpdir\"\n") {
		if !strings.Contains(got, line) {
			t.Errorf("MariaDB is not told %s", line)
		}
	}
	if settings(nil, MySQL) != "" {
		t.Error("a server with nothing elsewhere has settings")
	}
}

func FuzzMarks(f *testing.F) {
	f.Add([]byte(`{"mark":"x","parts":{"redo_log":{"volume":"logs","inside":true}}}`))
	f.Add([]byte(`{"marks":["x"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		for _, name := range []string{pairFile, sentinel} {
			must(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
		}
		p, err := readPair(dir)
		if err != nil {
			return
		}
		if p.Mark == "" && p.fits("mariadb", Elsewhere{Part: RedoLog}, dir) == nil {
			t.Error("what bears no mark belongs together")
		}
		if len(p.Parts) > 0 && p.named("mariadb", nil) == nil {
			t.Error("what is elsewhere is not missed")
		}
	})
}
