package image

import (
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Micro is a guest without systemd: the kernel of the plain image and an
// initramfs with the storage tools and one test binary.
type Micro struct {
	Kernel string
	Initrd string // the tools and /test; RunMicro adds the arguments
}

// tools are taken from the base image's tree with the libraries they need.
// Those of a list's later half are there for tests to look with.
var tools = []string{
	"/usr/sbin/mdadm", "/usr/sbin/cryptsetup", "/usr/sbin/dmsetup", "/usr/sbin/wipefs",
	"/usr/sbin/mkfs.xfs", "/usr/sbin/mkfs.ext4", "/usr/sbin/xfs_growfs", "/usr/sbin/resize2fs", "/usr/bin/mount", "/usr/bin/umount", "/usr/bin/cp",
	"/usr/sbin/xfs_repair", "/usr/sbin/xfs_db", "/usr/sbin/xfs_io", "/usr/sbin/blkid", "/usr/sbin/blockdev",
	"/usr/sbin/losetup", "/usr/sbin/fsfreeze", "/usr/bin/lsblk", "/usr/bin/dash", "/usr/bin/sh",
	"/usr/bin/cat", "/usr/bin/ls", "/usr/bin/dd", "/usr/bin/sync", "/usr/bin/true", "/usr/bin/sleep",
	// Loaded by name at run time, so no tool's headers mention it.
	"/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
	"/etc/passwd", "/etc/group", "/etc/mdadm/mdadm.conf",
}

// modules that the guest loads at its start, with what they depend on.
// Nothing loads others later: there is no udev and no modprobe.
var modules = []string{"raid0", "dm-crypt", "dm-flakey", "dm-delay", "xfs", "loop", "xts", "aesni-intel", "algif_skcipher", "isofs", "vfat", "nls_cp437", "nls_ascii"}

//go:embed microinit/*.go
var microinitSource embed.FS

// BuildMicro makes a micro guest that runs testBinary, a static executable.
// The layer of tools is cached; only the binary is added each time.
// Call Remove when the guest is no longer needed.
func BuildMicro(ctx context.Context, log io.Writer, base Image, testBinary string) (Micro, error) {
	init, err := microinitSource.ReadFile("microinit/main.go")
	if err != nil {
		return Micro{}, err
	}
	key := hash(base.key, strings.Join(tools, " "), strings.Join(modules, " "), string(init))
	dir, err := cached(ctx, log, "micro", key, func(dir string) error { return buildTools(ctx, log, base, dir) })
	if err != nil {
		return Micro{}, err
	}
	layer, err := os.Open(filepath.Join(dir, "tools.cpio"))
	if err != nil {
		return Micro{}, err
	}
	defer layer.Close()
	f, err := os.CreateTemp("", "bootswain-micro-*.cpio")
	if err != nil {
		return Micro{}, err
	}
	defer f.Close()
	m := Micro{Kernel: base.Kernel, Initrd: f.Name()}
	if _, err = io.Copy(f, layer); err == nil {
		a := newArchive(f)
		a.file("test", 0o755, testBinary)
		err = a.close()
	}
	if err != nil {
		_ = m.Remove()
		return Micro{}, fmt.Errorf("cannot put %s into a micro guest: %w", testBinary, err)
	}
	return m, nil
}

// BuildMicroTest makes a micro guest that runs the tests of a package.
func BuildMicroTest(ctx context.Context, log io.Writer, pkg string) (Micro, error) {
	dir, err := os.MkdirTemp("", "bootswain-test-")
	if err != nil {
		return Micro{}, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, path.Base(pkg)+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return Micro{}, fmt.Errorf("cannot build the tests of %s: %w\n%s", pkg, err, out)
	}
	base, err := Debian13.Base(ctx, log)
	if err != nil {
		return Micro{}, err
	}
	return BuildMicro(ctx, log, base, binary)
}

// Remove deletes what BuildMicro made for this binary.
func (m Micro) Remove() error { return os.Remove(m.Initrd) }

// buildTools writes dir/tools.cpio.
func buildTools(ctx context.Context, log io.Writer, base Image, dir string) error {
	fmt.Fprintln(log, "image: collecting tools and kernel modules for the micro guest")
	top, err := checkout(ctx)
	if err != nil {
		return err
	}
	init := filepath.Join(dir, "init")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", init, "./lab/image/microinit")
	build.Dir, build.Stdout, build.Stderr = top, log, log
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		return fmt.Errorf("cannot build the guest's init: %w", err)
	}
	ordered, err := moduleOrder(base.Tree, modules)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "tools.cpio"))
	if err != nil {
		return err
	}
	defer f.Close()
	a := newArchive(f)
	for _, d := range []string{"dev", "proc", "sys", "run", "tmp", "root", "mnt", "modules"} {
		a.dir(d)
	}
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		a.symlink(d, "usr/"+d)
	}
	if err := a.programs(base.Tree, tools); err != nil {
		return err
	}
	for i, m := range ordered {
		ko, err := readModule(filepath.Join(base.Tree, m))
		if err != nil {
			return err
		}
		// Numbered, so that the guest loads them in the order of their names.
		a.bytes(fmt.Sprintf("modules/%02d-%s", i, strings.TrimSuffix(path.Base(m), ".xz")), 0o644, ko)
	}
	a.file("init", 0o755, init)
	if err := a.close(); err != nil {
		return err
	}
	return os.Remove(init)
}
