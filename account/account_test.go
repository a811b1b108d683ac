package account

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/internal/run"
	"bootswain/spec"
)

const (
	key1 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBfVf1Yp4rbMQZLEbuFCVg37EMaHb3F0s5Q1VZ7f6cV9 ops@laptop"
	key2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBfVf1Yp4rbMQZLEbuFCVg37EMaHb3F0s5Q1VZ7f6cV9 pair"
)

// machine is a root directory and the tools that keep its accounts, as far as
// this package uses them.
type machine struct {
	t    testing.TB
	root string
	ran  []string
	fail map[string]string // tool → what it says when it fails
}

func newMachine(t testing.TB) *machine {
	m := &machine{t: t, root: t.TempDir(), fail: map[string]string{}}
	for _, dir := range []string{"etc/sudoers.d", "bin"} {
		m.must(os.MkdirAll(filepath.Join(m.root, dir), 0o755))
	}
	m.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/false\nodd line\n")
	m.write("etc/shadow", "root:*:20000:0:99999:7:::\nwww-data:*:20000:0:99999:7:::\nnobody:*:20000:0:99999:7:::\n")
	m.write("etc/group", "root:x:0:\nadm:x:4:\nwww-data:x:33:\nadmin:x:110:\n")
	m.write("bin/bash", "")
	m.write("bin/zsh", "")
	return m
}

func (m *machine) host() Host { return Host{Run: m, Root: m.root} }

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	m.must(os.WriteFile(filepath.Join(m.root, path), []byte(text), 0o644))
}

func (m *machine) read(path string) string {
	text, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil {
		return "(" + filepath.Base(path) + ": none)"
	}
	return string(text)
}

// line returns the line of the file that begins with name.
func (m *machine) line(path, name string) string {
	for line := range strings.Lines(m.read(path)) {
		if strings.HasPrefix(line, name+":") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// Run implements run.Runner.
func (m *machine) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	m.ran = append(m.ran, c.String())
	if words, ok := m.fail[c.Name]; ok {
		return nil, &run.ExitError{Cmd: c.String(), Code: 1, Stderr: words}
	}
	switch c.Name {
	case "useradd":
		return nil, m.useradd(c.Args)
	case "usermod":
		return nil, m.usermod(c.Args)
	case "groupadd":
		m.write("etc/group", m.read("etc/group")+fmt.Sprintf("%s:x:%d:\n", c.Args[0], 1000+len(m.ran)))
		return nil, nil
	case "loginctl":
		return nil, nil
	case "visudo":
		file := strings.TrimPrefix(c.Args[1], "--file=")
		text, err := os.ReadFile(file)
		if err != nil || strings.Contains(string(text), "nonsense") {
			return nil, &run.ExitError{Cmd: c.String(), Code: 1, Stderr: file + ":2:1: syntax error\nops nonsense\n    ^"}
		}
		return nil, nil
	}
	return nil, &run.MissingError{Name: c.Name}
}

// options reads "--name value" pairs; the last word is the user.
func options(args []string) (name string, o map[string]string) {
	o = make(map[string]string)
	for i := 0; i < len(args)-1; i++ {
		switch args[i] {
		case "--create-home", "--user-group", "--append":
			o[args[i]] = "yes"
		default:
			o[args[i]] = args[i+1]
			i++
		}
	}
	return args[len(args)-1], o
}

func days(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return fmt.Sprint(t.Unix() / 86400)
}

func (m *machine) useradd(args []string) error {
	name, o := options(args)
	uid := 1000 + len(m.ran)
	gid := fmt.Sprint(uid)
	if group, ok := o["--gid"]; ok {
		gid = strings.Split(m.line("etc/group", group), ":")[2]
	} else if m.line("etc/group", name) != "" {
		return &run.ExitError{Cmd: "useradd", Code: 9, Stderr: "group " + name + " exists"}
	} else {
		m.write("etc/group", m.read("etc/group")+name+":x:"+gid+":\n")
	}
	m.write("etc/passwd", m.read("etc/passwd")+fmt.Sprintf("%s:x:%d:%s:%s:/home/%s:%s\n", name, uid, gid, o["--comment"], name, o["--shell"]))
	m.write("etc/shadow", m.read("etc/shadow")+fmt.Sprintf("%s:%s:20000:0:99999:7::%s:\n", name, o["--password"], days(o["--expiredate"])))
	return m.join(name, o["--groups"])
}

func (m *machine) usermod(args []string) error {
	name, o := options(args)
	passwd := strings.Split(m.line("etc/passwd", name), ":")
	shadow := strings.Split(m.line("etc/shadow", name), ":")
	for option, field := range map[string]*string{"--comment": &passwd[4], "--shell": &passwd[6]} {
		if v, ok := o[option]; ok {
			*field = v
		}
	}
	if date, ok := o["--expiredate"]; ok {
		shadow[7] = days(date)
	}
	m.write("etc/passwd", strings.Replace(m.read("etc/passwd"), m.line("etc/passwd", name), strings.Join(passwd, ":"), 1))
	m.write("etc/shadow", strings.Replace(m.read("etc/shadow"), m.line("etc/shadow", name), strings.Join(shadow, ":"), 1))
	return m.join(name, o["--groups"])
}

func (m *machine) join(name, groups string) error {
	for g := range strings.SplitSeq(groups, ",") {
		if old := m.line("etc/group", g); g != "" && old == "" {
			return &run.ExitError{Cmd: "usermod", Code: 6, Stderr: "group " + g + " does not exist"}
		} else if g != "" {
			m.write("etc/group", strings.Replace(m.read("etc/group"), old, strings.TrimSuffix(old+","+name, ","), 1))
		}
	}
	return nil
}

// apply applies twice: the second time must change nothing and start nothing
// but visudo for rules that it refuses.
func (m *machine) apply(users []spec.User, keyPair []string, defaultUser string) (changes []string, err error) {
	m.t.Helper()
	changes, err = Apply(m.t.Context(), m.host(), users, keyPair, defaultUser)
	if err != nil {
		return changes, err
	}
	before := m.files()
	m.ran = nil
	again, err := Apply(m.t.Context(), m.host(), users, keyPair, defaultUser)
	if err != nil || len(again) > 0 || len(m.ran) > 0 {
		m.t.Errorf("the second run changed %q, ran %q, error %v", again, m.ran, err)
	}
	if after := m.files(); after != before {
		m.t.Errorf("the second run wrote:\n%s\nbefore:\n%s", after, before)
	}
	return changes, nil
}

// files lists every file with its inode's times, which a rewrite changes.
func (m *machine) files() string {
	var b strings.Builder
	err := filepath.WalkDir(m.root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, path, info.Mode(), info.ModTime().UnixNano())
		}
		return err
	})
	m.must(err)
	return b.String()
}

func (m *machine) want(path string, mode os.FileMode, text string) {
	m.t.Helper()
	if got := m.read(path); got != text {
		m.t.Errorf("%s: got\n%s\nwant\n%s", path, got, text)
	}
	if info, err := os.Lstat(filepath.Join(m.root, path)); err != nil || info.Mode() != mode {
		m.t.Errorf("%s: %v, %v, want mode %v", path, info, err, mode)
	}
}

func TestApply(t *testing.T) {
	m := newMachine(t)
	users := []spec.User{
		{Name: "ops", Gecos: "Olga Petrova", Groups: []string{"adm", "docker"}, Sudo: []string{"ALL=(ALL) NOPASSWD:ALL"}, Shell: "/bin/zsh",
			SSHAuthorizedKeys: []string{key1, `from="10.0.0.0/8" ` + key1}, Expires: time.Date(2027, 1, 31, 10, 0, 0, 0, time.FixedZone("", 3600))},
		{Name: "dba", Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)},
	}
	changes, err := m.apply(users, []string{key2}, "admin")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"admin: account created", "admin: 1 SSH keys written", "admin: sudo rules written",
		"ops: group docker created", "ops: account created", "ops: 2 SSH keys written", "ops: sudo rules written", "dba: account created",
	}
	if !slices.Equal(changes, want) {
		t.Errorf("got %q\nwant %q", changes, want)
	}
	m.want("etc/bootswain/keys/admin", 0o644, heading+key2+"\n")
	m.want("etc/bootswain/keys/ops", 0o644, heading+`expiry-time="20270131090000Z" `+key1+"\n"+`expiry-time="20270131090000Z",from="10.0.0.0/8" `+key1+"\n")
	m.want("etc/sudoers.d/90-bootswain-ops", 0o440, heading+"ops ALL=(ALL) NOPASSWD:ALL\n")
	for name, want := range map[string]string{"ops": "ops:*:20000:0:99999:7::20850:", "dba": "dba:*:20000:0:99999:7::20850:", "admin": "admin:*:20000:0:99999:7:::"} {
		if got := m.line("etc/shadow", name); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := m.line("etc/passwd", "admin"); !strings.Contains(got, ":110::/home/admin:/bin/bash") {
		t.Errorf("the group admin exists, so the account belongs in it; got %s", got)
	}
	if got := m.line("etc/group", "adm"); got != "adm:x:4:,ops" {
		t.Errorf("got %s", got)
	}
}

// TestApplyChanges is a machine whose launch data changes: what is ours
// follows, accounts stay.
func TestApplyChanges(t *testing.T) {
	m := newMachine(t)
	ops := spec.User{Name: "ops", Sudo: []string{"ALL=ALL"}, SSHAuthorizedKeys: []string{key1}, Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}
	dba := spec.User{Name: "dba", Sudo: []string{"ALL=ALL"}, SSHAuthorizedKeys: []string{key1}}
	if _, err := m.apply([]spec.User{ops, dba}, []string{key2}, "ops"); err != nil {
		t.Fatal(err)
	}
	m.want("etc/bootswain/keys/ops", 0o644, heading+`expiry-time="20270131000000Z" `+key1+"\n"+`expiry-time="20270131000000Z" `+key2+"\n")
	m.write("etc/sudoers.d/90-cloud-init-users", "not ours")
	m.write("etc/bootswain/keys/.ops.123", "left by a crash")

	ops = spec.User{Name: "ops", Gecos: "Ops", Shell: "/bin/zsh", Groups: []string{"adm", "ops"}}
	changes, err := m.apply([]spec.User{ops}, nil, "admin")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"dba: sudo removed", "dba: account closed", "dba: SSH keys removed", "ops: account changed: shell /bin/zsh; comment; groups adm; expires never", "ops: SSH keys removed", "ops: sudo removed"}
	if !slices.Equal(changes, want) {
		t.Errorf("got %q\nwant %q", changes, want)
	}
	if m.line("etc/passwd", "dba") == "" || m.line("etc/passwd", "admin") != "" {
		t.Error("dba's account is to stay, and without a key pair nobody becomes admin")
	}
	if got := m.read("etc/sudoers.d/90-cloud-init-users"); got != "not ours" {
		t.Errorf("somebody else's sudo rules: %s", got)
	}
	if entries, err := os.ReadDir(filepath.Join(m.root, keysDir)); err != nil || len(entries) != 1 {
		t.Errorf("left in the keys directory: %v, %v, want ops's, without keys", entries, err)
	}
	m.want("etc/bootswain/keys/ops", 0o644, heading)
	if got := m.line("etc/shadow", "dba"); got != "dba:*:20000:0:99999:7::1:" {
		t.Errorf("dba's account is not closed: %s", got)
	}

	changes, err = m.apply([]spec.User{ops, {Name: "dba"}}, nil, "admin")
	if want := []string{"dba: account changed: expires never"}; err != nil || !slices.Equal(changes, want) {
		t.Errorf("named again: %q, %v, want %q", changes, err, want)
	}
}

// TestApplyShutsOut: where an account cannot be closed, its keys go all the
// same, and it is tried again; sessions end if that is asked for.
func TestApplyShutsOut(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	host.End = true
	if _, err := m.apply([]spec.User{{Name: "ops", SSHAuthorizedKeys: []string{key1}}, {Name: "dba"}}, []string{key2}, "admin"); err != nil {
		t.Fatal(err)
	}
	m.fail["usermod"] = "cannot lock /etc/passwd; try again later."
	changes, err := Apply(t.Context(), host, nil, nil, "")
	if want := "cannot take all access from user ops: usermod --expiredate 1970-01-02 ops: exit status 1: cannot lock /etc/passwd; try again later."; err == nil || !strings.Contains(err.Error(), want) || !slices.Equal(changes, []string{"admin: sudo removed"}) {
		t.Errorf("got %q, %v\nwant %s", changes, err, want)
	}
	m.want("etc/bootswain/keys/ops", 0o644, heading)

	delete(m.fail, "usermod")
	m.fail["loginctl"] = "Could not terminate user: User ID 1004 is not logged in or lingering"
	changes, err = Apply(t.Context(), host, nil, []string{key2}, "admin")
	if want := []string{"dba: account closed", "dba: SSH keys removed", "ops: account closed", "ops: SSH keys removed", "admin: 1 SSH keys written", "admin: sudo rules written"}; err != nil || !slices.Equal(changes, want) {
		t.Errorf("got %q, %v\nwant %q", changes, err, want)
	}
	if !slices.Contains(m.ran, "loginctl terminate-user ops") {
		t.Errorf("ran %q", m.ran)
	}
}

// TestApplyOpensTheDefaultUserAgain: who was shut out for want of a key pair
// gets in with the next one.
func TestApplyOpensTheDefaultUserAgain(t *testing.T) {
	m := newMachine(t)
	for _, pair := range [][]string{{key2}, nil, {key2}} {
		if _, err := m.apply(nil, pair, "admin"); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.line("etc/shadow", "admin"); got != "admin:*:20000:0:99999:7:::" {
		t.Errorf("got %s", got)
	}
}

func TestApplyRefusesAWeakKeyPair(t *testing.T) {
	m := newMachine(t)
	_, err := Apply(t.Context(), m.host(), nil, []string{"ssh-dss AAAA", key2}, "admin")
	if err == nil || err.Error() != "cannot set up user admin: a key is no SSH public key: the data after ssh-dss is damaged or was cut short" {
		t.Errorf("got %v", err)
	}
	m.want("etc/bootswain/keys/admin", 0o644, heading+key2+"\n")
}

// BenchmarkApply lets 50 people with 5 keys each in for the first time, and
// looks once more; the time of useradd(8) itself is not in it.
func BenchmarkApply(b *testing.B) {
	users := fiftyPeople()
	for b.Loop() {
		b.StopTimer()
		m := newMachine(b)
		b.StartTimer()
		for range 2 {
			if _, err := Apply(b.Context(), m.host(), users, nil, ""); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func TestApplyKeepsWhatFaultyDataLeavesOut(t *testing.T) {
	m := newMachine(t)
	ops := spec.User{Name: "ops", Sudo: []string{"ALL=ALL"}, SSHAuthorizedKeys: []string{key1}}
	if _, err := m.apply([]spec.User{ops}, nil, "admin"); err != nil {
		t.Fatal(err)
	}
	changes, err := Apply(t.Context(), Host{Run: m, Root: m.root, Keep: true}, nil, nil, "admin")
	if err != nil || len(changes) > 0 {
		t.Errorf("got %q, %v, want no change", changes, err)
	}
	m.want("etc/bootswain/keys/ops", 0o644, heading+key1+"\n")
}

func TestApplyKeyPairLeavesAccountAlone(t *testing.T) {
	m := newMachine(t)
	m.write("etc/passwd", m.read("etc/passwd")+"admin:x:1000:1000:Debian:/home/admin:/bin/sh\n")
	m.write("etc/shadow", m.read("etc/shadow")+"admin:!:20000:0:99999:7::21000:\n")
	changes, err := m.apply(nil, []string{key2}, "admin")
	if want := []string{"admin: 1 SSH keys written", "admin: sudo rules written"}; err != nil || !slices.Equal(changes, want) {
		t.Errorf("got %q, %v, want %q", changes, err, want)
	}
	if got := m.line("etc/shadow", "admin"); got != "admin:!:20000:0:99999:7::21000:" {
		t.Errorf("the account was changed: %s", got)
	}
}

// TestApplyFaults breaks one thing for one user; the other user always gets in.
func TestApplyFaults(t *testing.T) {
	good := spec.User{Name: "dba", SSHAuthorizedKeys: []string{key1}}
	bad := spec.User{Name: "ops", SSHAuthorizedKeys: []string{key1}, Sudo: []string{"ALL=ALL"}}
	with := func(change func(*spec.User)) spec.User { u := bad; change(&u); return u }
	tests := []struct {
		name    string
		user    spec.User
		prepare func(*machine)
		want    string
		keys    bool // the user's keys are written all the same
	}{
		{"system account", with(func(u *spec.User) { u.Name = "www-data" }), nil, "cannot set up user www-data: user id 33 is a system account, which is left alone", false},
		{"root", with(func(u *spec.User) { u.Name = "root" }), nil, "cannot set up user root: user id 0 is a system account, which is left alone", false},
		{"nobody", with(func(u *spec.User) { u.Name = "nobody" }), nil, "cannot set up user nobody: user id 65534 is a system account, which is left alone", false},
		{"name", with(func(u *spec.User) { u.Name = "../ops" }), nil, `cannot set up user ../ops: "../ops" cannot be a user's name`, false},
		{"shell", with(func(u *spec.User) { u.Shell = "/bin/fish" }), nil, "cannot set up user ops: the shell /bin/fish is not installed; /bin/bash is used", true},
		{"sudo refused", with(func(u *spec.User) { u.Sudo = []string{"nonsense"} }), nil, "cannot set up user ops: cannot give sudo: visudo refuses the rules: 2:1: syntax error", true},
		{"sudo lines", with(func(u *spec.User) { u.Sudo = []string{"ALL=ALL\ndba ALL=ALL"} }), nil, "cannot set up user ops: cannot give sudo: a rule is more than one line", true},
		{"no sudo", bad, func(m *machine) { m.must(os.Remove(filepath.Join(m.root, sudoersDir))) }, "cannot set up user ops: cannot give sudo: /etc/sudoers.d does not exist; is sudo installed?", true},
		{"key", with(func(u *spec.User) { u.SSHAuthorizedKeys = []string{"hello", key1} }), nil, "cannot set up user ops: a key is no SSH public key: no key type such as ssh-ed25519 in it", true},
		{"group", with(func(u *spec.User) { u.Groups = []string{"docker"} }), func(m *machine) { m.fail["groupadd"] = "cannot lock /etc/group" }, "cannot set up user ops: groupadd docker: exit status 1: cannot lock /etc/group", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			if tt.prepare != nil {
				tt.prepare(m)
			}
			_, err := Apply(t.Context(), m.host(), []spec.User{tt.user, good}, nil, "")
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			m.want("etc/bootswain/keys/dba", 0o644, heading+key1+"\n")
			if tt.keys {
				m.want("etc/bootswain/keys/ops", 0o644, heading+key1+"\n")
			} else if entries, _ := os.ReadDir(filepath.Join(m.root, keysDir)); len(entries) != 1 {
				t.Errorf("keys were written: %v", entries)
			}
			if left, _ := filepath.Glob(filepath.Join(m.root, sudoersDir, ".*")); len(left) > 0 {
				t.Errorf("left in sudoers.d: %v", left)
			}
		})
	}
}

func TestApplyToolFails(t *testing.T) {
	m := newMachine(t)
	users := []spec.User{{Name: "ops", SSHAuthorizedKeys: []string{key1}}}
	m.fail["useradd"] = "cannot lock /etc/passwd; try again later."
	_, err := Apply(t.Context(), m.host(), users, nil, "")
	if err == nil || !strings.Contains(err.Error(), "cannot set up user ops: useradd ") || !strings.Contains(err.Error(), "cannot lock /etc/passwd") {
		t.Errorf("got %v", err)
	}
	delete(m.fail, "useradd")
	if _, err := m.apply(users, nil, ""); err != nil {
		t.Fatal(err)
	}
	m.fail["usermod"] = "cannot lock /etc/passwd; try again later."
	users[0].Expires = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	_, err = Apply(t.Context(), m.host(), users, nil, "")
	if err == nil || !strings.Contains(err.Error(), "cannot set up user ops: usermod --expiredate 2027-01-31 ops") {
		t.Errorf("got %v", err)
	}
	m.want("etc/bootswain/keys/ops", 0o644, heading+`expiry-time="20270131000000Z" `+key1+"\n")
}

func TestApplyFollowsNoLink(t *testing.T) {
	users := []spec.User{{Name: "ops", SSHAuthorizedKeys: []string{key1}}}
	link := func(m *machine, target, at string) {
		m.must(os.MkdirAll(filepath.Dir(filepath.Join(m.root, at)), 0o755))
		m.must(os.Symlink(filepath.Join(m.root, target), filepath.Join(m.root, at)))
	}
	m := newMachine(t)
	m.write("precious", "old\n")
	link(m, "precious", "etc/bootswain/keys/ops")
	if _, err := m.apply(users, nil, ""); err != nil {
		t.Fatal(err)
	}
	m.want("precious", 0o644, "old\n")
	m.want("etc/bootswain/keys/ops", 0o644, heading+key1+"\n")

	m = newMachine(t)
	link(m, "bin", "etc/bootswain/keys")
	_, err := Apply(t.Context(), m.host(), users, nil, "")
	const why = "/etc/bootswain/keys is not a directory; nothing below it is touched"
	if want := "cannot look for former users: " + why + "\ncannot set up user ops: " + why; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	m.want("bin/bash", 0o644, "")
	if _, err := os.Stat(filepath.Join(m.root, "bin/ops")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("keys were written through a link: %v", err)
	}
}
