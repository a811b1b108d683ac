package mysql

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"bootswain/internal/run"
	"bootswain/internal/situation"
)

func TestParseBanner(t *testing.T) {
	for _, tt := range []struct {
		banner  string
		flavour Flavour
		version string
	}{
		{"/usr/sbin/mariadbd  Ver 11.8.6-MariaDB-0+deb13u1 from Debian for debian-linux-gnu on x86_64 (-- Please help get to 10k stars at https://github.com/MariaDB/Server)", MariaDB, "11.8.6"},
		{"mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)", MariaDB, "10.11.19"},
		{"/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", MySQL, "9.7.4"},
		{"/usr/sbin/mysqld  Ver 8.4.6-6 for Linux on x86_64 (Percona Server (GPL), Release 6, Revision 0)", MySQL, "8.4.6"},
	} {
		if f, v, ok := parseBanner(tt.banner); !ok || f != tt.flavour || v.String() != tt.version {
			t.Errorf("%q: got %s %s, %v", tt.banner, f, v, ok)
		}
	}
	for _, banner := range []string{"", "bash: mysqld: command not found", "x Ver eleven", "x Ver 1.2.3"} {
		if f, v, ok := parseBanner(banner); ok {
			t.Errorf("%q: got %s %s, want no version", banner, f, v)
		}
	}
}

func TestConfiguredCase(t *testing.T) {
	for options, want := range map[string]string{
		"--user=mysql --bind-address=127.0.0.1 ":                        "0",
		"--lower_case_table_names=1 --lower-case-table-names=2 --x=1":   "2",
		"--lower-case-table-names":                                      "1",
		"--plugin-x=--lower_case_table_namesake=1 --lower_case_table=1": "0",
	} {
		if got := configuredCase(options); got != want {
			t.Errorf("%q: got %s, want %s", options, got, want)
		}
	}
}

// says answers as a server's program does.
type says map[string]string

func (s says) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	if out, ok := s[c.Args[0]]; ok {
		return []byte(out), nil
	}
	return nil, errTest
}

func TestFindProgram(t *testing.T) {
	root := t.TempDir()
	ctx := context.Background()
	_, err := FindProgram(ctx, says{}, root)
	wantError(t, err, "neither mariadbd nor mysqld is where packages put it")
	write(t, root, map[string]string{"usr/libexec/mysqld": "program"})
	_, err = FindProgram(ctx, says{}, root)
	wantError(t, err, "cannot learn the server's version: out of order")
	_, err = FindProgram(ctx, says{"--version": "hello\x1b"}, root)
	wantError(t, err, `says "hello?"`)
	p, err := FindProgram(ctx, says{"--version": "mysqld  Ver 9.7.4", "--print-defaults": "--lower_case_table_names=1"}, root)
	if err != nil || p.Flavour != MySQL || p.Version != (Version{9, 7, 4}) || p.Case != "1" || !p.Current() {
		t.Errorf("got %+v, %v", p, err)
	}
	if err := os.Rename(p.Path, p.Path+".old"); err != nil {
		t.Fatal(err)
	}
	if p.Current() || (Program{}).Current() {
		t.Error("a program that is gone is taken for current")
	}
	write(t, root, map[string]string{"usr/libexec/mysqld": "another"})
	if p.Current() {
		t.Error("another program is taken for the one that was asked")
	}
}

func TestFindsNames(t *testing.T) {
	dir := t.TempDir()
	unpack(t, dir, mysql9)
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	made, err := folder{root}.madeCase()
	if err != nil || made != "0" {
		t.Fatalf("got %q, %v, want what the dictionary says", made, err)
	}
	p := Program{Flavour: MySQL, Case: "1"}
	wantError(t, p.findsNames("mysql", Data{}, made), "HELD mysql: data made with lower_case_table_names=0, this image's server has 1; untouched.")
	p.Flavour = MariaDB
	wantError(t, p.findsNames("mariadb", Data{Upper: "Orders"}, ""), "HELD mariadb: the schema Orders has upper-case letters")
	wantWord(t, p.findsNames("mariadb", Data{Upper: "Orders"}, ""), situation.Held)
	wantError(t, p.findsNames("mariadb", Data{}, ""), "")
	p.Case = "0"
	wantError(t, p.findsNames("mariadb", Data{Upper: "Orders"}, "0"), "")
	if err := os.WriteFile(filepath.Join(dir, "mysql.ibd"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if made, err := (folder{root}).madeCase(); err != nil || made != "" {
		t.Errorf("got %q, %v, want nothing where there is nothing", made, err)
	}
	if err := os.Remove(filepath.Join(dir, "mysql.ibd")); err != nil {
		t.Fatal(err)
	}
	if _, err := (folder{root}).madeCase(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want that it is not there", err)
	}
}
