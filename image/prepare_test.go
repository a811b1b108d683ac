package image

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
	"bootswain/internal/situation"
)

// tools is a machine's programs; the initramfs is made anew where it is told to.
type tools struct {
	root string
	ran  []string
	lame bool // update-initramfs does nothing, as it can be configured
}

func (m *tools) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	m.ran = append(m.ran, c.String())
	if c.Name == "update-initramfs" && !m.lame {
		now := time.Now().Add(time.Second)
		return nil, os.Chtimes(filepath.Join(m.root, "boot/initrd.img-6"), now, now)
	}
	return nil, nil
}

// used is a machine that was launched, logged in to and worked on.
func used(t *testing.T) (Host, *tools) {
	t.Helper()
	root := t.TempDir()
	for path, content := range map[string]string{
		"/usr/sbin/sshd": "", "/usr/lib/systemd/system/sshd-keygen.service": "",
		"/etc/passwd":                                "root:x:0:0:root:/root:/bin/bash\nops:x:1000:1000::/home/ops:/bin/bash\nnobody:x:65534:65534::/nonexistent:/bin/false\nsys:x:3:3::/:/bin/false\n",
		"/etc/mdadm/mdadm.conf":                      "# comes later: AUTO -all\nHOMEHOST <system>\nAUTO +1.x\nAUTO -all\n",
		"/boot/initrd.img-6":                         "old",
		"/etc/machine-id":                            "0123456789abcdef0123456789abcdef\n",
		"/etc/ssh/ssh_host_rsa_key":                  "k",
		"/etc/ssh/ssh_host_rsa_key.pub":              "k",
		"/etc/ssh/sshd_config":                       "kept",
		"/root/.bash_history":                        "x",
		"/root/kept":                                 "x",
		"/home/ops/.ssh/authorized_keys":             "ssh-ed25519 AAAA",
		"/home/ops/.ssh/config":                      "kept",
		"/home/ops/.mysql_history":                   "x",
		"/etc/bootswain/keys/ops":                    "ssh-ed25519 AAAA",
		"/etc/bootswain/bootswain.yaml":              "kept",
		"/var/lib/cloud/instances/i-0/user-data.txt": "x",
		"/var/lib/cloud/data/instance-id":            "x",
		"/var/lib/cloud/scripts/per-boot/a":          "kept",
		"/var/lib/cloud/seed/nocloud/meta-data":      "kept",
		"/var/lib/systemd/random-seed":               "x",
		"/var/log/auth.log":                          "x",
		"/var/log/auth.log.1":                        "x",
		"/var/log/empty.log":                         "",
		"/var/log/dnf.log-20260101":                  "x",
		"/var/log/journal/0123/system.journal":       "x",
	} {
		write(t, root, path, content)
	}
	link := filepath.Join(root, "/var/lib/cloud/instance")
	if err := os.Symlink(filepath.Join(root, "/root"), link); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(root, "boot/initrd.img-6"), before, before); err != nil {
		t.Fatal(err)
	}
	m := &tools{root: root}
	return Host{Root: root, Run: m}, m
}

func read(t *testing.T, h Host, path string) string {
	t.Helper()
	b, err := os.ReadFile(h.at(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPrepare(t *testing.T) {
	h, m := used(t)
	done, err := Prepare(t.Context(), h, Options{Units: []string{"a.service", "b.socket"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Recipients) != 1 || !done.Made || !done.Arrays || !strings.HasPrefix(done.Recipients[0], "age1") {
		t.Errorf("%+v", done)
	}
	const removed = "/etc/bootswain/keys/ops /etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_rsa_key.pub /home/ops/.mysql_history /home/ops/.ssh/authorized_keys /root/.bash_history " +
		"/var/lib/cloud/data/instance-id /var/lib/cloud/instance /var/lib/cloud/instances/i-0/user-data.txt /var/lib/systemd/random-seed " +
		"/var/log/auth.log.1 /var/log/dnf.log-20260101 /var/log/journal/0123/system.journal"
	if got := strings.Join(done.Removed, " "); got != removed {
		t.Errorf("removed\n%s, want\n%s", got, removed)
	}
	if got := strings.Join(done.Emptied, " "); got != "/etc/machine-id /var/log/auth.log" {
		t.Errorf("emptied %s", got)
	}
	if got := strings.Join(m.ran, "; "); got != "systemctl --no-reload --quiet enable a.service b.socket; update-initramfs -u -k all" {
		t.Errorf("ran %s", got)
	}
	if _, quiet, err := MdadmConf(h.Root); !quiet || err != nil || !strings.HasSuffix(read(t, h, "/etc/mdadm/mdadm.conf"), "AUTO +1.x\nAUTO -all\n") {
		t.Errorf("mdadm.conf, %v:\n%s", err, read(t, h, "/etc/mdadm/mdadm.conf"))
	}
	for _, path := range []string{"/etc/ssh/sshd_config", "/home/ops/.ssh/config", "/var/lib/cloud/scripts/per-boot/a", "/var/lib/cloud/seed/nocloud/meta-data", "/root/kept"} {
		read(t, h, path)
	}
	if has, err := recipientsOf([]byte(read(t, h, IdentityPath))); err != nil || !slices.Equal(has, done.Recipients) {
		t.Errorf("the identity is that of %v, %v", has, err)
	}
	if info, err := os.Stat(h.at(IdentityPath)); err != nil || info.Mode() != 0o600 {
		t.Errorf("the identity's mode: %v, %v", info.Mode(), err)
	}

	again, err := Prepare(t.Context(), h, Options{})
	if err != nil || again.Made || again.Arrays || len(again.Removed)+len(again.Emptied) > 0 || again.Recipients[0] != done.Recipients[0] {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	found, err := Check(t.Context(), h.Root)
	if err != nil || len(found.Findings) != 1 || !found.Findings[0].Own {
		t.Errorf("the image holds %v, %v; want its identity alone", found.Findings, err)
	}
}

func TestPrepareIdentity(t *testing.T) {
	mine, other := (secrets{}).age(t), (secrets{}).age(t)
	for name, c := range map[string]struct {
		there, given string
		public       bool
		want         string // of the error
		code         situation.Word
	}{
		"given":                 {"", mine, false, "", ""},
		"given again":           {mine, "# with a comment\n" + mine, false, "", ""},
		"there":                 {mine, "", false, "", ""},
		"another is there":      {other, mine, false, "another identity already", situation.Refused},
		"nonsense is there":     {"nonsense", mine, false, "another identity already", situation.Refused},
		"nonsense is given":     {"", "nonsense", false, "cannot use the identity", ""},
		"public":                {"", "", true, "", ""},
		"public with the image": {mine, "", true, "must not hold", situation.Refused},
	} {
		h, m := used(t)
		if c.there != "" {
			write(t, h.Root, IdentityPath, c.there)
		}
		o := Options{Public: c.public}
		if c.given != "" {
			o.Identity = strings.NewReader(c.given)
		}
		done, err := Prepare(t.Context(), h, o)
		if c.want != "" {
			s := situation.Of(err)
			if err == nil || !strings.Contains(err.Error(), c.want) || (s != nil) != (c.code != "") || s != nil && s.Word != c.code {
				t.Errorf("%s: %v, want %s %q", name, err, c.code, c.want)
			}
			if len(m.ran) > 0 || !h.has("/root/.bash_history") {
				t.Errorf("%s: something was changed: %v", name, m.ran)
			}
			continue
		}
		if err != nil || (len(done.Recipients) == 0) != c.public || done.Made == (c.there != "" || c.public) {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
		if c.there != "" && read(t, h, IdentityPath) != c.there {
			t.Errorf("%s: the identity was written again", name)
		}
	}
}

// TestPrepareSays what it cannot do, and does the rest.
func TestPrepareSays(t *testing.T) {
	h, m := used(t)
	if err := os.Remove(h.at("/usr/lib/systemd/system/sshd-keygen.service")); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(t.Context(), h, Options{}); situation.Of(err) == nil || !strings.Contains(err.Error(), "nothing on this machine makes new SSH host keys") || !h.has("/etc/ssh/ssh_host_rsa_key") {
		t.Errorf("host keys that nobody makes again: %v", err)
	}
	write(t, h.Root, "/usr/bin/cloud-init", "")
	m.lame = true
	done, err := Prepare(t.Context(), h, Options{})
	if err == nil || !strings.Contains(err.Error(), "update-initramfs left it as it was") || len(done.Removed) == 0 {
		t.Errorf("an initramfs that stays: %v; removed %v", err, done.Removed)
	}
	h.Run = missing{}
	_, err = Prepare(t.Context(), h, Options{Units: []string{"a.service"}})
	if _, ok := errors.AsType[*run.MissingError](err); !ok && !strings.Contains(fmt.Sprint(err), "systemctl is not installed") {
		t.Errorf("without systemctl: %v", err)
	}
}

type missing struct{}

func (missing) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	return nil, &run.MissingError{Name: c.Name}
}

func TestMdadmConf(t *testing.T) {
	for text, quiet := range map[string]bool{
		"": false, "# AUTO -all\n": false, "AUTO -all\n": true, "auto -all\n": true, "AUT -all": true, "AUTO +all\nAUTO -all\n": false,
		"AUTO +1.x -all\n": false, "ARRAY /dev/md0\n  AUTO -all\n": false, "AUTO\n": false,
	} {
		root := t.TempDir()
		write(t, root, "/etc/mdadm.conf", text)
		if _, got, err := MdadmConf(root); got != quiet || err != nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, quiet)
		}
	}
}
