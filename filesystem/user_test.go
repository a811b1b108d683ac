package filesystem_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"bootswain/filesystem"
)

// TestUsers looks at a proc in which some processes have something to do with
// the file system of this test's directory.
func TestUsers(t *testing.T) {
	dir := t.TempDir()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	major, minor := unix.Major(st.Dev), unix.Minor(st.Dev)
	proc := t.TempDir()
	process := func(pid, name, cgroup string, files map[string]string) {
		must(t, os.MkdirAll(filepath.Join(proc, pid, "fd"), 0o755))
		must(t, os.WriteFile(filepath.Join(proc, pid, "comm"), []byte(name+"\n"), 0o644))
		must(t, os.WriteFile(filepath.Join(proc, pid, "cgroup"), []byte("0::"+cgroup+"\n"), 0o644))
		must(t, os.WriteFile(filepath.Join(proc, pid, "maps"), []byte(files["maps"]), 0o644))
		for link, to := range files {
			if link != "maps" {
				must(t, os.Symlink(to, filepath.Join(proc, pid, link)))
			}
		}
	}
	process("30", "b\x1b[31mash", "/user.slice/user-1000.slice/session-1.scope", map[string]string{"cwd": dir})
	process("4", "mariadbd", "/system.slice/mariadb.service", map[string]string{"cwd": "/proc", "fd/7": dir})
	process("5", "other", "/system.slice/cron.service", map[string]string{"cwd": "/proc", "fd/7": "/proc/self"})
	process("6", "reader", "/user.slice", map[string]string{"maps": fmt.Sprintf("7f00-7f01 r--p 00000000 %02x:%02x 12 /secret name\n", major, minor)})
	process("7", "stranger", "/user.slice", map[string]string{"maps": "7f00-7f01 r--p 00000000 00:00 0\n"})
	must(t, os.MkdirAll(filepath.Join(proc, "8", "fd"), 0o755)) // ended a moment ago
	must(t, os.MkdirAll(filepath.Join(proc, "sys"), 0o755))
	users, err := filesystem.Users(proc, fmt.Sprintf("%d:%d", major, minor))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(users), "[mariadbd (4) reader (6) b?[31mash (30)]"; got != want {
		t.Errorf("users are %s, want %s", got, want)
	}
	if !users[0].Service || users[1].Service || users[2].Service {
		t.Errorf("services are %+v", users)
	}
}

// TestUsersReal finds a real process by its working directory.
func TestUsersReal(t *testing.T) {
	dir := t.TempDir()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "cat")
	c.Dir = dir
	in, err := c.StdinPipe()
	must(t, err)
	must(t, c.Start())
	users, err := filesystem.Users("/proc", fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	must(t, err)
	must(t, in.Close())
	must(t, c.Wait())
	for _, u := range users {
		if u.PID == c.Process.Pid && u.Name == "cat" {
			return
		}
	}
	t.Errorf("cat (%d) is not among %v", c.Process.Pid, users)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
