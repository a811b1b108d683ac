package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/spec"
	"bootswain/systemd"
)

// answers are programs that only print.
type answers map[string]string

func (a answers) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	out, ok := a[c.Name]
	if !ok {
		return nil, &run.MissingError{Name: c.Name}
	}
	if strings.Contains(out, "disabled") { // as systemctl is-enabled does
		return []byte(out), &run.ExitError{Cmd: c.String(), Code: 1}
	}
	return []byte(out), nil
}

const soundSSHD = "passwordauthentication no\nkbdinteractiveauthentication no\npermitrootlogin no\nauthorizedkeysfile .ssh/authorized_keys /etc/bootswain/keys/%u\n"

func TestFitness(t *testing.T) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join("lib/modules", unix.ByteSliceToString(name.Release[:]))
	want := &spec.Spec{
		Users:   []spec.User{{Name: "ops", Sudo: []string{"ALL=(ALL) NOPASSWD:ALL"}}},
		Volumes: []spec.Volume{{Name: "data", Filesystem: spec.Filesystem{Type: "xfs"}}, {Name: "old", Filesystem: spec.Filesystem{Type: "ext4"}}},
		IMDS:    spec.IMDS{Restrict: []string{"root"}},
	}
	all := strings.Fields("mdadm cryptsetup dmsetup wipefs mount umount mkfs.ext4 resize2fs useradd usermod groupadd mkfs.xfs xfs_growfs visudo nft")
	enabled := strings.Repeat("enabled\n", len(systemd.Enabled()))
	for what, c := range map[string]struct {
		without string // a program, or a line of the files
		tools   answers
		want    string // the one that is not well; "" none
	}{
		"whole":        {"", answers{"systemctl": enabled, "/usr/sbin/sshd": soundSSHD}, ""},
		"no nft":       {"nft", answers{"systemctl": enabled, "/usr/sbin/sshd": soundSSHD}, "FAILED programs: not installed: nft.\n  next: install nftables in the image"},
		"no visudo":    {"visudo", answers{"systemctl": enabled, "/usr/sbin/sshd": soundSSHD}, "FAILED programs: not installed: visudo.\n  next: install sudo in the image"},
		"no raid0":     {"raid0", answers{"systemctl": enabled, "/usr/sbin/sshd": soundSSHD}, "no raid0.\n  next: boot a kernel that has them"},
		"no AUTO":      {"AUTO -all", answers{"systemctl": enabled, "/usr/sbin/sshd": soundSSHD}, "FAILED mdadm: /etc/mdadm/mdadm.conf does not begin with AUTO -all"},
		"passwords":    {"", answers{"systemctl": enabled, "/usr/sbin/sshd": strings.Replace(soundSSHD, "tion no", "tion yes", 1)}, "FAILED sshd: sshd -T says passwordauthentication yes"},
		"OpenSSH 10.6": {"", answers{"systemctl": enabled, "/usr/sbin/sshd": "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\nAuthorizedKeysFile .ssh/authorized_keys /etc/bootswain/keys/%u\n"}, ""},
		"disabled":     {"", answers{"systemctl": strings.Replace(enabled, "enabled", "disabled", 1), "/usr/sbin/sshd": soundSSHD}, "FAILED units: " + systemd.Enabled()[0] + " is disabled.\n  next: systemctl enable "},
		"no systemctl": {"", answers{"/usr/sbin/sshd": soundSSHD}, "FAILED units: whether they are enabled is not known: systemctl is not installed"},
	} {
		root := t.TempDir()
		put := func(path, content string, mode os.FileMode) {
			t.Helper()
			full := filepath.Join(root, path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(content), mode)); err != nil {
				t.Fatal(err)
			}
		}
		for _, program := range slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == c.without }) {
			put("/usr/sbin/"+program, "", 0o755)
		}
		list := "kernel/drivers/md/dm-crypt.ko.xz: kernel/drivers/md/dm-mod.ko.xz\nkernel/drivers/md/raid0.ko:\nkernel/fs/xfs/xfs.ko.zst:\n"
		put(filepath.Join(modules, "modules.dep"), strings.Replace(list, "md/"+c.without+".ko:", "md/other.ko:", 1), 0o644)
		put(filepath.Join(modules, "modules.builtin"), "kernel/fs/ext4/ext4.ko\n", 0o644)
		put("/etc/mdadm/mdadm.conf", strings.ReplaceAll("AUTO -all\n", c.without, ""), 0o644)
		m := machine{root: root, run: c.tools, path: []string{"/usr/bin", "/usr/sbin"}}
		var sick []string
		for _, s := range m.fitness(t.Context(), want, false) {
			if s.Word != situation.Ready {
				sick = append(sick, s.String())
			}
		}
		if got := strings.Join(sick, "\n"); (c.want == "") != (got == "") || !strings.Contains(got, c.want) || len(sick) > 1 {
			t.Errorf("%s: %s, want %q", what, got, c.want)
		}
	}
}

func TestClock(t *testing.T) {
	for state, want := range map[int]situation.Word{unix.TIME_OK: situation.Ready, unix.TIME_INS: situation.Ready, unix.TIME_ERROR: situation.Degraded} {
		if got := clockWord(state, nil); got.Word != want {
			t.Errorf("state %d: %s", state, got)
		}
	}
	if got := clockWord(0, unix.EPERM); got.Word != situation.Degraded || got.Next == "" {
		t.Errorf("where the kernel does not say: %s", got)
	}
}
