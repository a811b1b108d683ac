package account

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/internal/run"
	"bootswain/spec"
)

// chrooted runs the real tools on the accounts below root, never on this
// machine's own.
type chrooted struct {
	root  string
	ran   int
	spent time.Duration
}

// Run implements run.Runner.
func (c *chrooted) Run(ctx context.Context, cmd run.Cmd) ([]byte, error) {
	if cmd.Name == "visudo" { // once for all, and sudo may not be installed here
		return nil, nil
	}
	cmd.Args = append([]string{"--root", c.root}, cmd.Args...)
	began := time.Now()
	defer func() { c.ran, c.spent = c.ran+1, c.spent+time.Since(began) }()
	return run.Host{}.Run(ctx, cmd)
}

// fiftyPeople have five keys each.
func fiftyPeople() (users []spec.User) {
	for i := range 50 {
		u := spec.User{Name: fmt.Sprintf("user%02d", i), Groups: []string{"adm"}, Sudo: []string{"ALL=(ALL) NOPASSWD:ALL"}}
		for range 5 {
			u.SSHAuthorizedKeys = append(u.SSHAuthorizedKeys, key1)
		}
		users = append(users, u)
	}
	return users
}

// TestFiftyPeopleNative lets fifty people in with the real useradd(8), on a root
// of its own, and looks once more. The time is useradd's, which flushes twenty
// times for each person. What would flush less gives less: systemd-sysusers(8)
// knows neither homes, expiry nor subordinate ids, newusers(8) sets passwords.
// It is in memory; TMPDIR=/var/tmp has it on disk.
func TestFiftyPeopleNative(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may change its root")
	}
	if _, err := exec.LookPath("useradd"); err != nil {
		t.Skip("not installed here: ", err)
	}
	if _, err := os.Stat("/dev/shm"); err == nil && os.Getenv("TMPDIR") == "" {
		t.Setenv("TMPDIR", "/dev/shm") // a thousand flushes take as long as the disk's other users let them
	}
	m := newMachine(t)
	m.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
	m.write("etc/shadow", "root:*:20000:0:99999:7:::\n")
	m.write("etc/group", "root:x:0:\nadm:x:4:\n")
	m.write("etc/gshadow", "root:*::\nadm:*::\n")
	m.write("etc/subuid", "")
	m.write("etc/subgid", "")
	m.write("etc/login.defs", "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nHOME_MODE 0700\nUSERGROUPS_ENAB yes\n")
	for _, dir := range []string{"etc/skel", "home"} {
		m.must(os.MkdirAll(filepath.Join(m.root, dir), 0o755))
	}
	m.write("etc/skel/.profile", "# as everybody's\n")

	tools := &chrooted{root: m.root}
	host := Host{Run: tools, Root: m.root}
	began := time.Now()
	if _, err := Apply(t.Context(), host, fiftyPeople(), nil, ""); err != nil {
		t.Fatal(err)
	}
	first, ran := time.Since(began), tools.ran
	before := m.files()
	began = time.Now()
	changes, err := Apply(t.Context(), host, fiftyPeople(), nil, "")
	second := time.Since(began)
	if err != nil || len(changes) > 0 || tools.ran != ran || m.files() != before {
		t.Errorf("the second run changed %q, ran %d programs, error %v", changes, tools.ran-ran, err)
	}
	t.Logf("50 users x 5 keys: %.2f s, %.2f times what %d runs of useradd take alone; again: %.3f s",
		first.Seconds(), first.Seconds()/tools.spent.Seconds(), ran, second.Seconds())

	for field, want := range map[string]string{
		m.line("etc/passwd", "user49"): "user49:x:1049:1049::/home/user49:/bin/bash",
		m.line("etc/group", "user49"):  "user49:x:1049:",
		m.line("etc/subuid", "user49"): "user49:3311264:65536",
	} {
		if field != want {
			t.Errorf("got %s, want %s", field, want)
		}
	}
	if f := strings.Split(m.line("etc/shadow", "user49"), ":"); len(f) != 9 || f[1] != "*" {
		t.Errorf("the password of user49 is %q, want one that matches none", f)
	}
	if info, err := os.Stat(filepath.Join(m.root, "home/user49")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("home of user49: %v, %v", info, err)
	}
	m.want("home/user49/.profile", 0o644, "# as everybody's\n")
}
