package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build fills dir with tree, vmlinux and root.raw.
func (s System) build(ctx context.Context, log io.Writer, r recipe, dir string) error {
	fmt.Fprintf(log, "image: building the base image %s (Debian %s; 1 to 3 minutes, once)\n", r.key(), s.suite)
	overlay := filepath.Join(dir, "overlay")
	if err := os.CopyFS(overlay, recipeFiles); err != nil {
		return err
	}
	tree := filepath.Join(dir, "tree")
	if err := contained(ctx, log, dir, s.mmdebstrap(filepath.Join(overlay, "recipe"), tree, hostMirror(ctx))); err != nil {
		return err
	}
	if err := os.RemoveAll(overlay); err != nil {
		return err
	}
	compressed, err := filepath.Glob(filepath.Join(tree, "boot", "vmlinuz-*"))
	if err != nil || len(compressed) != 1 {
		return fmt.Errorf("want one kernel in the new system, found %q", compressed)
	}
	if err := extractKernel(compressed[0], filepath.Join(dir, "vmlinux")); err != nil {
		return err
	}
	return makeDisk(ctx, log, tree, filepath.Join(dir, "root.raw"))
}

// mmdebstrap is the command line that makes tree.
func (s System) mmdebstrap(overlay, tree, mirror string) []string {
	args := []string{
		"mmdebstrap", "--mode=root", "--format=directory", "--variant=minbase", "--components=main",
		"--include=" + strings.Join(s.packages(), ","),
		`--aptopt=APT::Install-Recommends "false"`,
		`--aptopt=Acquire::Check-Valid-Until "false"`, // mirrors that stand still have sid's lists of some weeks ago
		"--customize-hook=sh " + overlay + "/customize.sh " + overlay + ` "$1"`,
	}
	for _, path := range excluded {
		args = append(args, "--dpkgopt=path-exclude="+path)
	}
	args = append(args, s.suite, tree)
	if mirror != "" {
		args = append(args, mirror)
	}
	return args
}

// hostMirror is the mirror that this machine's apt uses if this is a Debian
// machine; otherwise "", and mmdebstrap knows a default.
func hostMirror(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format",
		"$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return ""
	}
	return debianMirror(out)
}

func debianMirror(indexTargets []byte) string {
	for line := range bytes.Lines(indexTargets) {
		if uri, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("Debian|Debian|main|")); ok {
			return string(uri)
		}
	}
	return ""
}

var errNoKernel = errors.New("no zstd-compressed ELF kernel in it")
