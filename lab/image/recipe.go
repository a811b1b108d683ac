package image

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

// System is what a plain image holds.
type System struct {
	suite  string   // Debian's release
	beside []string // packages beside those of every image
}

var (
	// Debian13 has MariaDB, and cloud-init, which is off until somebody removes
	// /etc/cloud/cloud-init.disabled.
	Debian13 = System{suite: "trixie", beside: []string{"mariadb-server", "cloud-init"}}
	// Sid has MySQL, and systemd's own access to the metadata service, which can
	// lock every other way to it (systemd-imdsd, since systemd 261).
	Sid = System{suite: "sid", beside: []string{"mysql-server", "apparmor", "systemd-imds"}}
)

// packages beside Debian's essential ones. The cloud kernel has NVMe and ext4
// built in and finds its root alone, without the initramfs that it comes with.
var packages = []string{
	"linux-image-cloud-amd64", "nftables",
	"systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd",
	"iproute2", "iputils-ping", "curl", "ca-certificates", "less", "procps", "kmod",
	"openssh-server", "sudo",
	"mdadm", "cryptsetup-bin", "xfsprogs", "e2fsprogs",
	"qemu-guest-agent", // the laboratory's own way in, for tests; no part of what is shown
}

// excluded paths are not unpacked: they make images larger and nothing else.
var excluded = []string{"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"}

// recipeFiles is laid over the new system, then customize.sh runs.
//
//go:embed recipe
var recipeFiles embed.FS

// bakeScript installs the package in a mounted image.
//
//go:embed bake.sh
var bakeScript string

// recipe is everything that decides what a base image becomes, apart from the
// versions that Debian serves on the day.
type recipe struct{ parts []string }

func (s System) recipe() (recipe, error) {
	r := recipe{parts: []string{s.suite, strings.Join(s.packages(), " "), strings.Join(excluded, " "), strings.Join(mke2fsArgs, " "), kernelAppend}}
	err := fs.WalkDir(recipeFiles, "recipe", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := recipeFiles.ReadFile(path)
		r.parts = append(r.parts, path, string(b))
		return err
	})
	return r, err
}

func (s System) packages() []string { return append(slices.Clone(packages), s.beside...) }

func (r recipe) key() string { return hash(r.parts...) }
