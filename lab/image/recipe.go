package image

import (
	"embed"
	"io/fs"
	"strings"
)

// suite is the Debian release of every image.
const suite = "trixie"

// packages beside Debian's essential ones. No initramfs tool: the cloud
// kernel has NVMe and ext4 built in and finds its root alone.
var packages = []string{
	"linux-image-cloud-amd64",
	"systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd",
	"iproute2", "iputils-ping", "curl", "ca-certificates", "less", "procps", "kmod",
	"openssh-server", "sudo",
	"mariadb-server",
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

func baseRecipe() (recipe, error) {
	r := recipe{parts: []string{suite, strings.Join(packages, " "), strings.Join(excluded, " "), strings.Join(mke2fsArgs, " "), kernelAppend}}
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

func (r recipe) key() string { return hash(r.parts...) }
