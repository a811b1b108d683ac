package mysql

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestIsolation takes one directory through its life: isolated, started, copied
// to another machine, and taken back.
func TestIsolation(t *testing.T) {
	dir, home := t.TempDir(), filepath.Join(t.TempDir(), "mysql/bootswain")
	write := func(uuid string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, identity), []byte(uuid), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) string { b, _ := os.ReadFile(path); return string(b) }
	settle := func(wanted bool, self string) {
		t.Helper()
		if err := (Isolation{Wanted: wanted, Home: home, Self: self}).Settle(dir, ""); err != nil {
			t.Fatal(err)
		}
	}
	write("original")
	settle(false, "a")
	if read(filepath.Join(dir, identity)) != "original" || exists(home, settingsFile) || exists(dir, isolated) {
		t.Error("a server that is not to be isolated was changed")
	}
	umask := syscall.Umask(0o007)
	settle(true, "a")
	syscall.Umask(umask)
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the server's user cannot read %s: %v, %v", home, info, err)
	}
	if exists(dir, identity) || read(filepath.Join(dir, identityKept)) != "original" {
		t.Error("the original's identity was left to the copy")
	}
	if cnf := read(filepath.Join(home, settingsFile)); !strings.Contains(cnf, "\nread_only = ON\n") {
		t.Errorf("the server reads %q", cnf)
	}
	write("copy")
	settle(true, "a")
	if read(filepath.Join(dir, identity)) != "copy" {
		t.Error("the second start got another identity than the first")
	}
	settle(true, "b")
	if exists(dir, identity) {
		t.Error("a copy of the copy has the identity of the copy")
	}
	write("another")
	settle(false, "b")
	if exists(home, settingsFile) || exists(dir, isolated) || read(filepath.Join(dir, identity)) != "another" {
		t.Error("the isolation was not taken back")
	}
	if err := os.Chmod(filepath.Dir(home), 0o750); err != nil {
		t.Fatal(err)
	}
	wantError(t, Isolation{Wanted: true, Home: home, Self: "b"}.Settle(dir, ""), "cannot write the server's settings: only some users can read")
	if exists(dir, isolated) || !exists(dir, identity) {
		t.Error("a server that is not started got another identity")
	}
	if err := os.Mkdir(filepath.Join(dir, isolated), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, isolated, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, Isolation{Home: home}.Settle(dir, ""), "cannot end the isolation")
}

// TestIsolationIsRead: the drop-ins name the folder, where AppArmor lets MySQL
// read.
func TestIsolationIsRead(t *testing.T) {
	for _, unit := range []string{"mariadb", "mysql", "mysqld"} {
		text, err := os.ReadFile("../systemd/units/" + unit + ".service.d/50-bootswain.conf")
		if err != nil || !strings.Contains(string(text), "\nEnvironment=MYSQL_HOME="+SettingsHome+"\n") {
			t.Errorf("%s does not read %s (%v)", unit, SettingsHome, err)
		}
	}
}
