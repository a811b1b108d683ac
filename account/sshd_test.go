package account

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/internal/run"
)

// sshd reads its drop-ins in the order of their names, as far as these tests
// need it.
type sshd struct {
	m     *machine
	ran   int
	trust string // what it says of anything at all; "" for nothing
}

// Run implements run.Runner.
func (s *sshd) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	s.ran++
	fail := func(words string) error { return &run.ExitError{Cmd: c.String(), Code: 255, Stderr: words} }
	dir := filepath.Join(s.m.root, "run/sshd")
	if _, err := os.Stat(dir); err != nil {
		return nil, fail("Missing privilege separation directory: /run/sshd")
	}
	settings := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(s.m.root, sshdDropIns, "*.conf"))
	for _, f := range files {
		text, err := os.ReadFile(f)
		s.m.must(err)
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(line)), " ")
			if name == "kbdinteractiveauthentication" && s.trust == "old" {
				return nil, fail(f + ": line 5: Bad configuration option: KbdInteractiveAuthentication\r\nterminating")
			}
			if _, ok := settings[name]; !ok {
				settings[name] = value
			}
		}
	}
	if s.trust == noHostKeys {
		return nil, fail("Unable to load host key: /etc/ssh/ssh_host_ed25519_key\r\nsshd: no hostkeys available -- exiting.\r\n")
	}
	var out strings.Builder
	for name, value := range settings {
		out.WriteString(name + " " + value + "\n")
	}
	return []byte(out.String()), nil
}

func newSSHD(t *testing.T) (*sshd, Host) {
	m := newMachine(t)
	m.must(os.MkdirAll(filepath.Join(m.root, sshdDropIns), 0o755))
	m.write(sshdConfig, "Include /etc/ssh/sshd_config.d/*.conf\n")
	s := &sshd{m: m}
	return s, Host{Run: s, Root: m.root}
}

const ourDropIn = sshdDropIns + "/" + sshdDropIn

func TestSSHD(t *testing.T) {
	s, h := newSSHD(t)
	if changed, err := SSHD(t.Context(), h, false); !changed || err != nil {
		t.Fatalf("%v, %v", changed, err)
	}
	s.m.want(ourDropIn, 0o644, dropIn(false))
	before := s.m.files()
	if changed, err := SSHD(t.Context(), h, false); changed || err != nil || s.m.files() != before {
		t.Errorf("the second run: %v, %v", changed, err)
	}
	if changed, err := SSHD(t.Context(), h, true); !changed || err != nil || !strings.Contains(s.m.read(ourDropIn), "PermitRootLogin prohibit-password\n") {
		t.Errorf("root login turned on: %v, %v", changed, err)
	}
}

// TestInstanceConnectKeepsWorking: sshd goes on to ask EC2 Instance Connect's own
// command for keys, as another user, wherever Amazon's package says so.
func TestInstanceConnectKeepsWorking(t *testing.T) {
	const says = "AuthorizedKeysCommand /opt/aws/bin/eic_run_authorized_keys %u %f\nAuthorizedKeysCommandUser ec2-instance-connect\n"
	for _, name := range []string{"60-ec2-instance-connect.conf", "05-first.conf"} {
		s, h := newSSHD(t)
		s.m.write(sshdDropIns+"/"+name, says)
		if _, err := SSHD(t.Context(), h, false); err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(t.Context(), run.Cmd{Name: "/usr/sbin/sshd", Args: []string{"-T"}})
		for line := range strings.Lines(strings.ToLower(says)) {
			if err != nil || !strings.Contains(strings.ToLower(string(out)), line) {
				t.Errorf("%s: sshd -T says, without %q:\n%s%v", name, line, out, err)
			}
		}
		s.m.want(sshdDropIns+"/"+name, 0o644, says)
	}
}

func TestSSHDTakesBackWhatSSHDRefuses(t *testing.T) {
	s, h := newSSHD(t)
	s.trust = "old"
	want := "/10-bootswain.conf: line 5: Bad configuration option: KbdInteractiveAuthentication; /etc/ssh/sshd_config.d/10-bootswain.conf was taken back"
	if changed, err := SSHD(t.Context(), h, false); changed || err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, %v", changed, err)
	}
	if got := s.m.read(ourDropIn); got != "(10-bootswain.conf: none)" {
		t.Errorf("it stands: %s", got)
	}
	s.m.write(ourDropIn, "PermitRootLogin no\n")
	if _, err := SSHD(t.Context(), h, false); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("over another: %v", err)
	}
	s.m.want(ourDropIn, 0o644, "PermitRootLogin no\n")
}

func TestSSHDBeforeHostKeys(t *testing.T) {
	s, h := newSSHD(t)
	s.trust = noHostKeys
	if changed, err := SSHD(t.Context(), h, false); !changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	s.m.want(ourDropIn, 0o644, dropIn(false))
}

func TestSSHDWithPasswords(t *testing.T) {
	s, h := newSSHD(t)
	s.m.write(sshdDropIns+"/00-cloud.conf", "PasswordAuthentication yes\nPermitRootLogin yes\n")
	want := "sshd -T says passwordauthentication yes, permitrootlogin yes: another file goes before /etc/ssh/sshd_config.d/10-bootswain.conf, or /etc/ssh/sshd_config does not include it"
	if changed, err := SSHD(t.Context(), h, false); !changed || err == nil || err.Error() != want {
		t.Errorf("%v, %v\nwant %s", changed, err, want)
	}
}

func TestSSHDFollowsNoLink(t *testing.T) {
	s, h := newSSHD(t)
	s.m.write("precious", "old\n")
	s.m.must(os.Symlink(filepath.Join(s.m.root, "precious"), filepath.Join(s.m.root, ourDropIn)))
	if _, err := SSHD(t.Context(), h, false); err != nil {
		t.Fatal(err)
	}
	s.m.want("precious", 0o644, "old\n")
	s.m.want(ourDropIn, 0o644, dropIn(false))

	m := newMachine(t) // without sshd
	if changed, err := SSHD(t.Context(), m.host(), false); changed || err != nil || len(m.ran) > 0 {
		t.Errorf("without sshd: %v, %v", changed, err)
	}
}
