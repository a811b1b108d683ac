package mysql

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bootswain/internal/situation"
	"bootswain/systemd"
)

// initialiser is a unit with a server in it: it unpacks what the server would
// have made where the bind mount leads.
type initialiser struct {
	t    *testing.T
	made string // "" fails
	unit systemd.OnceUnit
	sql  string
}

func (i *initialiser) run(o systemd.OnceUnit) error {
	i.unit = o
	if b, err := os.ReadFile(filepath.Join(o.Bind, firstStatements)); err == nil {
		i.sql = string(b)
	}
	if i.made == "" {
		write(i.t, o.Bind, map[string]string{"ibdata1": "", firstLog: "x [System] [MY-015017] begins\nx [ERROR] [MY-012345] [InnoDB] no\x1broom\nx [ERROR] aborting\n"})
		return errTest
	}
	unpack(i.t, o.Bind, i.made)
	if i.made == mysql9 {
		write(i.t, o.Bind, map[string]string{firstLog: ""})
	}
	return nil
}

func bare(t *testing.T, p Program) (Move, *initialiser) {
	t.Helper()
	onlyRoot(t)
	m, _ := newMove(t)
	if err := os.RemoveAll(m.Directory); err != nil {
		t.Fatal(err)
	}
	write(t, m.Directory, map[string]string{"debian-11.8.flag": ""})
	give(t, 100, m.Directory)
	m.Program = p
	i := &initialiser{t: t}
	m.Units.(*fakeUnits).once = i.run
	return m, i
}

func TestInitialise(t *testing.T) {
	for _, tt := range []struct {
		made    string
		program Program
		command []string
		sql     string
	}{
		{mariadb11, Program{Path: "/usr/sbin/mariadbd", Flavour: MariaDB, Version: Version{11, 8, 6}, Case: "0"},
			[]string{"/usr/bin/mariadb-install-db", "--datadir=/var/lib/mysql", "--skip-test-db", "--auth-root-authentication-method=socket"}, ""},
		{mysql9, Program{Path: "/usr/sbin/mysqld", Flavour: MySQL, Version: Version{9, 7, 4}, Case: "0"},
			[]string{"/usr/sbin/mysqld", "--initialize-insecure", "--init-file=/var/lib/mysql/.bootswain-init.sql"}, onlyThroughTheSocket},
	} {
		t.Run(tt.made, func(t *testing.T) {
			m, i := bare(t, tt.program)
			_, err := m.TakeOver(context.Background())
			wantError(t, err, "cannot make databases on volume data")
			wantError(t, err, "out of order: [MY-012345] [InnoDB] no?room")
			i.made = tt.made
			if got, err := m.TakeOver(context.Background()); err != nil || got != Made {
				t.Fatalf("TakeOver = %q, %v, want made", got, err)
			}
			for _, want := range tt.command {
				if !slices.Contains(i.unit.Command, want) {
					t.Errorf("%q lacks %s", i.unit.Command, want)
				}
			}
			if u := i.unit; u.Bind != m.target()+".preparing" || u.At != Directory || u.UID != 100 || u.GID != 100 {
				t.Errorf("unit %+v", u)
			}
			if i.sql != tt.sql {
				t.Errorf("first statements %q, want %q", i.sql, tt.sql)
			}
			d, err := ReadData(m.target())
			if err != nil || d.Content != Whole || slices.Contains(d.Names, firstStatements) || slices.Contains(d.Names, firstLog) || slices.Contains(d.Names, unfinished) {
				t.Errorf("made %+v, %v", d, err)
			}
			if log := m.Units.(*fakeUnits).log; !slices.Contains(log, "stop "+initialiseUnit) {
				t.Errorf("did %q, want the unit of the failed attempt stopped", log)
			}
			if got, err := m.TakeOver(context.Background()); err != nil || got != Found {
				t.Errorf("once more: %q, %v, want found", got, err)
			}
		})
	}
}

func TestInitialiseRefuses(t *testing.T) {
	m, i := bare(t, Program{Flavour: MariaDB, Version: Version{11, 8, 6}, Case: "0"})
	give(t, 0, m.Directory)
	i.made = mariadb11
	_, err := m.TakeOver(context.Background())
	wantError(t, err, "belongs to root, so it is not known as whom the server runs; nothing written.")
	wantWord(t, err, situation.Held)
}
