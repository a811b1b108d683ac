package image

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/cavaliergopher/cpio"
)

// archive writes an initramfs segment (cpio, "newc"). Names are relative to
// the guest's root. Parent directories are made as needed; the first error is
// kept and returned by close.
type archive struct {
	w    *cpio.Writer
	seen map[string]bool
	err  error
}

func newArchive(w io.Writer) *archive {
	return &archive{w: cpio.NewWriter(w), seen: map[string]bool{".": true}}
}

func (a *archive) dir(name string) {
	if a.seen[name] {
		return
	}
	a.entry(name, cpio.TypeDir|0o755, nil)
}

func (a *archive) symlink(name, target string) {
	a.entry(name, cpio.TypeSymlink|0o777, []byte(target)) // a link's content is its target
}

func (a *archive) bytes(name string, mode fs.FileMode, b []byte) {
	a.entry(name, cpio.TypeReg|cpio.FileMode(mode.Perm()), b)
}

// file adds the host's file from under another name.
func (a *archive) file(name string, mode fs.FileMode, from string) {
	b, err := os.ReadFile(from)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.bytes(name, mode, b)
}

func (a *archive) entry(name string, mode cpio.FileMode, content []byte) {
	a.dir(path.Dir(name))
	a.seen[name] = true
	if a.err == nil {
		a.err = a.w.WriteHeader(&cpio.Header{Name: name, Mode: mode, Links: 1, Size: int64(len(content))})
	}
	if a.err == nil && len(content) > 0 {
		_, a.err = a.w.Write(content)
	}
}

func (a *archive) close() error {
	if a.err != nil {
		return a.err
	}
	return a.w.Close()
}

// programs adds files of tree with the libraries and the loader that they
// need, following symbolic links inside tree.
func (a *archive) programs(tree string, names []string) error {
	for queue := names; len(queue) > 0; queue = queue[1:] {
		name := path.Clean(queue[0])[1:]
		// /lib64 and the like are links to directories in /usr, made once.
		if top := path.Dir(name); top == "lib64" || top == "lib" {
			name = path.Join("usr", name)
		}
		if a.seen[name] {
			continue
		}
		from := filepath.Join(tree, name)
		info, err := os.Lstat(from)
		if err != nil {
			return fmt.Errorf("the base image lacks what a micro guest needs: %w", err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			a.symlink(name, target)
			if !path.IsAbs(target) {
				target = path.Join("/", path.Dir(name), target)
			}
			queue = append(queue[:len(queue):len(queue)], target)
			continue
		}
		a.file(name, info.Mode(), from)
		needs, err := needed(tree, from)
		if err != nil {
			return err
		}
		queue = append(queue[:len(queue):len(queue)], needs...)
	}
	return a.err
}
