package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"bootswain/account"
	"bootswain/image"
	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/spec"
	"bootswain/systemd"
)

// machine is what doctor looks at of the machine itself.
type machine struct {
	root string // "/"
	run  run.Runner
	path []string // where programs are
}

// fitness says what of the machine bootswain works with. It changes nothing.
func (m machine) fitness(ctx context.Context, want *spec.Spec, rootLogin bool) []*situation.Situation {
	return []*situation.Situation{
		m.programs(want), m.modules(want), m.enabled(ctx), m.arrays(),
		sshd(account.Host{Run: m.run, Root: m.root}.CheckSSHD(ctx, rootLogin)),
	}
}

func fit(subject, format string, args ...any) *situation.Situation {
	return &situation.Situation{Word: situation.Ready, Subject: subject, Text: fmt.Sprintf(format, args...)}
}

func unfit(subject, next, format string, args ...any) *situation.Situation {
	return &situation.Situation{Word: situation.Failed, Subject: subject, Text: fmt.Sprintf(format, args...), Next: next}
}

// programs are those that bootswain runs, with the packages that bring them on
// Debian.
func (m machine) programs(want *spec.Spec) *situation.Situation {
	needed := map[string]string{
		"mdadm": "mdadm", "cryptsetup": "cryptsetup-bin", "dmsetup": "dmsetup", "wipefs": "util-linux", "mount": "mount", "umount": "mount",
		"mkfs.ext4": "e2fsprogs", "resize2fs": "e2fsprogs", "useradd": "passwd", "usermod": "passwd", "groupadd": "passwd",
	}
	for _, v := range want.Volumes {
		if v.Filesystem.Type == "xfs" {
			needed["mkfs.xfs"], needed["xfs_growfs"] = "xfsprogs", "xfsprogs"
		}
	}
	for _, u := range want.Users {
		if len(u.Sudo) > 0 {
			needed["visudo"] = "sudo"
		}
	}
	if len(want.IMDS.Restrict) > 0 {
		needed["nft"] = "nftables"
	}
	var missing, packages []string
	for name, from := range needed {
		if !slices.ContainsFunc(m.path, func(dir string) bool { return executable(filepath.Join(m.root, dir, name)) }) {
			missing, packages = append(missing, name), append(packages, from)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		slices.Sort(packages)
		return unfit("programs", "install "+strings.Join(slices.Compact(packages), ", ")+" in the image", "not installed: %s.", strings.Join(missing, ", "))
	}
	return fit("programs", "%d are installed.", len(needed))
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// modules are the parts of the kernel that volumes need. One that is built in is
// as good as one that can be loaded.
func (m machine) modules(want *spec.Spec) *situation.Situation {
	needed := []string{"dm-mod", "dm-crypt", "raid0"}
	for _, v := range want.Volumes {
		kind := v.Filesystem.Type
		if kind == "" {
			kind = "xfs"
		}
		if !slices.Contains(needed, kind) {
			needed = append(needed, kind)
		}
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return unfit("kernel", "", "does not tell its release: %v.", err)
	}
	release := unix.ByteSliceToString(name.Release[:])
	var known []byte
	for _, list := range []string{"modules.builtin", "modules.dep"} {
		b, err := os.ReadFile(filepath.Join(m.root, "/lib/modules", release, list))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unfit("kernel", "", "what it can load is not known: %v.", err)
		}
		known = append(known, b...)
	}
	missing := slices.DeleteFunc(slices.Clone(needed), func(module string) bool {
		_, err := os.Stat(filepath.Join(m.root, "/sys/module", strings.ReplaceAll(module, "-", "_")))
		return err == nil || bytes.Contains(known, []byte("/"+module+".ko"))
	})
	if len(missing) > 0 {
		return unfit("kernel", "boot a kernel that has them, with its modules", "%s has no %s.", release, strings.Join(missing, ", "))
	}
	return fit("kernel", "%s has %s.", release, strings.Join(needed, ", "))
}

// enabled says whether the units come with the next boot.
func (m machine) enabled(ctx context.Context) *situation.Situation {
	units := systemd.Enabled()
	out, err := m.run.Run(ctx, run.Cmd{Name: "systemctl", Args: append([]string{"is-enabled"}, units...)})
	states := strings.Fields(string(out)) // one a line, in the order in which they were asked for
	if len(states) != len(units) {
		return unfit("units", "bootswain image prepare enables them", "whether they are enabled is not known: %v.", err)
	}
	var off []string
	for i, unit := range units {
		if states[i] != "enabled" {
			off = append(off, unit+" is "+states[i])
		}
	}
	if len(off) > 0 {
		return unfit("units", "systemctl enable "+strings.Join(units, " "), "%s.", strings.Join(off, ", "))
	}
	return fit("units", "all %d are enabled.", len(units))
}

func (m machine) arrays() *situation.Situation {
	switch path, quiet, err := image.MdadmConf(m.root); {
	case err != nil:
		return unfit("mdadm", "", "its configuration cannot be read: %v.", err)
	case !quiet:
		return unfit("mdadm", "bootswain image prepare writes it, and the initramfs", "%s does not begin with AUTO -all: others may assemble what bootswain assembles.", path)
	default:
		return fit("mdadm", "%s leaves arrays to bootswain.", path)
	}
}

func sshd(err error) *situation.Situation {
	if err != nil {
		return unfit("sshd", "correct sshd's configuration", "%v.", err)
	}
	return fit("sshd", "takes the keys of the launch data, and no passwords.")
}

// clockWord judges the kernel's clock: AWS refuses requests that are five minutes
// off. state is adjtimex(2)'s answer.
func clockWord(state int, err error) *situation.Situation {
	if err == nil && state != unix.TIME_ERROR {
		return fit("clock", "is kept right.")
	}
	return &situation.Situation{Word: situation.Degraded, Subject: "clock", Text: "nothing keeps it right; AWS refuses requests that are 5 minutes off.", Next: "install and enable chrony or systemd-timesyncd"}
}
