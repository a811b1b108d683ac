package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"bootswain/internal/atomicfile"
	"bootswain/internal/run"
)

// noAssembly is mdadm.conf(5)'s word that nothing is assembled without being
// asked for. Only the first AUTO line counts.
const noAssembly = "AUTO -all"

// initramfs is a distribution's way of making the first file system anew. It holds a
// copy of mdadm.conf.
type initramfs struct {
	files []string // what it makes
	cmd   run.Cmd
}

var initramfses = []initramfs{
	{[]string{"/boot/initrd.img-*"}, run.Cmd{Name: "update-initramfs", Args: []string{"-u", "-k", "all"}, Timeout: 15 * time.Minute}},
	{[]string{"/boot/initramfs-*.img"}, run.Cmd{Name: "dracut", Args: []string{"--force", "--regenerate-all"}, Timeout: 15 * time.Minute}},
}

// MdadmConf returns the path of mdadm's configuration in the image at root, and
// whether it keeps everybody from assembling arrays unasked. The file need not
// exist.
func MdadmConf(root string) (path string, quiet bool, err error) {
	h := Host{Root: root}
	path = "/etc/mdadm.conf"
	if h.has("/etc/mdadm") {
		path = "/etc/mdadm/mdadm.conf" // Debian's
	}
	b, err := os.ReadFile(h.at(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return path, false, err
	}
	for line := range bytes.Lines(b) {
		// A word may be cut to three letters, and a line that begins with a space
		// goes on with the one before it.
		words := strings.Fields(string(line))
		if len(words) > 0 && line[0] != ' ' && line[0] != '\t' && slices.Contains([]string{"AUT", "AUTO"}, strings.ToUpper(words[0])) {
			return path, len(words) > 1 && words[1] == "-all", nil
		}
	}
	return path, false, nil
}

// noArrays keeps udev and the initramfs from assembling what bootswain
// assembles.
func (h Host) noArrays(ctx context.Context) (changed bool, err error) {
	path, quiet, err := MdadmConf(h.Root)
	if err != nil {
		return false, err
	}
	if !quiet {
		old, err := os.ReadFile(h.at(path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		text := append([]byte("# bootswain alone assembles arrays, by their members.\n"+noAssembly+"\n"), old...)
		if err := atomicfile.Write(h.at(path), text, 0o644); err != nil {
			return false, fmt.Errorf("cannot write %s: %w", path, err)
		}
	}
	for _, i := range initramfses {
		if !h.older(i.files, path) {
			continue
		}
		if _, err := h.Run.Run(ctx, i.cmd); err != nil {
			return true, fmt.Errorf("cannot make the initramfs anew, which holds a copy of %s: %w", path, err)
		}
		if h.older(i.files, path) {
			return true, fmt.Errorf("cannot make the initramfs anew, which holds a copy of %s: %s left it as it was", path, i.cmd.Name)
		}
		changed = true
	}
	return changed || !quiet, nil
}

// older tells whether one of the files was made before path was.
func (h Host) older(patterns []string, path string) bool {
	conf, err := os.Stat(h.at(path))
	if err != nil {
		return false
	}
	for _, f := range h.glob(patterns...) {
		if info, ok := h.regular(f); ok && info.ModTime().Before(conf.ModTime()) {
			return true
		}
	}
	return false
}
