package image

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

// list reads an archive back: its names in order, and each content.
func list(t *testing.T, r io.Reader) (names []string, content map[string]string) {
	t.Helper()
	content = map[string]string{}
	in := cpio.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return names, content
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if h.Linkname != "" {
			b = []byte("-> " + h.Linkname)
		}
		names, content[h.Name] = append(names, h.Name), string(b)
	}
}

func TestArchivePutsParentsFirst(t *testing.T) {
	var out bytes.Buffer
	a := newArchive(&out)
	a.bytes("usr/sbin/mdadm", 0o755, []byte("tool"))
	a.symlink("usr/sbin/mkfs.ext4", "mke2fs")
	a.bytes("init", 0o755, nil)
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if out.Len()%4 != 0 {
		t.Errorf("%d bytes: an archive appended to it is not aligned", out.Len())
	}
	names, content := list(t, &out)
	if got, want := strings.Join(names, " "), "usr usr/sbin usr/sbin/mdadm usr/sbin/mkfs.ext4 init"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if content["usr/sbin/mdadm"] != "tool" || content["usr/sbin/mkfs.ext4"] != "-> mke2fs" {
		t.Errorf("got %q", content)
	}
}

func TestArchiveKeepsTheFirstError(t *testing.T) {
	a := newArchive(io.Discard)
	a.file("gone", 0o644, filepath.Join(t.TempDir(), "gone"))
	a.bytes("after", 0o644, nil)
	if err := a.close(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the file does not exist", err)
	}
}

func TestProgramsFollowsLinksInsideTheTree(t *testing.T) {
	tree := t.TempDir()
	for _, d := range []string{"usr/sbin", "etc/alternatives"} {
		if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(tree, "usr/sbin/mke2fs"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"usr/sbin/mkfs.ext4":    "/etc/alternatives/mkfs",
		"etc/alternatives/mkfs": "../../usr/sbin/mke2fs",
	} {
		if err := os.Symlink(target, filepath.Join(tree, name)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	a := newArchive(&out)
	if err := a.programs(tree, []string{"/usr/sbin/mkfs.ext4", "/usr/sbin/mke2fs"}); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	names, _ := list(t, &out)
	if got, want := strings.Join(names, " "), "usr usr/sbin usr/sbin/mkfs.ext4 usr/sbin/mke2fs etc etc/alternatives etc/alternatives/mkfs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := newArchive(io.Discard).programs(tree, []string{"/usr/sbin/mdadm"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the file does not exist", err)
	}
}

func TestOrderModules(t *testing.T) {
	const deps = `kernel/drivers/md/md-mod.ko.xz:
kernel/drivers/md/raid0.ko.xz: kernel/drivers/md/md-mod.ko.xz
kernel/crypto/cryptd.ko.xz:
kernel/crypto/crypto_simd.ko.xz: kernel/crypto/cryptd.ko.xz
kernel/arch/x86/crypto/aesni-intel.ko.xz: kernel/crypto/crypto_simd.ko.xz kernel/crypto/cryptd.ko.xz
`
	got, err := orderModules(deps, "m", []string{"raid0", "aesni-intel", "cryptd"})
	want := []string{
		"m/kernel/drivers/md/md-mod.ko.xz", "m/kernel/drivers/md/raid0.ko.xz", "m/kernel/crypto/cryptd.ko.xz",
		"m/kernel/crypto/crypto_simd.ko.xz", "m/kernel/arch/x86/crypto/aesni-intel.ko.xz",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := orderModules(deps, "m", []string{"btrfs"}); err == nil || err.Error() != "the kernel has no module btrfs" {
		t.Errorf("got %v", err)
	}
}

// The arguments travel in a second archive behind the first.
func TestWithArgs(t *testing.T) {
	dir := t.TempDir()
	initrd := filepath.Join(dir, "tools")
	if err := os.WriteFile(initrd, []byte("tools"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := withArgs(initrd, []string{"-test.run", "^A b$"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	appended, ok := bytes.CutPrefix(b, []byte("tools"))
	if !ok {
		t.Fatal("the tools are gone")
	}
	_, content := list(t, bytes.NewReader(appended))
	if content["args"] != `["-test.run","^A b$"]` {
		t.Errorf("got %q", content)
	}
}
