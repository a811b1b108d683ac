package image

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
)

// libraryDir is where Debian's loader looks on amd64.
const libraryDir = "/usr/lib/x86_64-linux-gnu"

// needed returns the loader and the libraries that the program file names, as
// paths in tree. A file that is not ELF needs nothing.
func needed(tree, file string) ([]string, error) {
	f, err := elf.Open(file)
	if _, ok := errors.AsType[*elf.FormatError](err); ok || errors.Is(err, io.EOF) { // EOF: shorter than ELF's ident
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	defer f.Close()
	dirs := []string{libraryDir}
	runpath, err := f.DynString(elf.DT_RUNPATH)
	if err != nil {
		return nil, fmt.Errorf("cannot read what %s needs: %w", file, err)
	}
	for _, p := range runpath {
		dirs = append(dirs, strings.Split(p, ":")...)
	}
	var found []string
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		loader, err := io.ReadAll(p.Open())
		if err != nil {
			return nil, err
		}
		found = append(found, string(bytes.TrimRight(loader, "\x00")))
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return nil, fmt.Errorf("cannot read what %s needs: %w", file, err)
	}
	for _, lib := range libraries {
		i := slices.IndexFunc(dirs, func(d string) bool {
			_, err := os.Lstat(filepath.Join(tree, d, lib))
			return err == nil
		})
		if i < 0 {
			return nil, fmt.Errorf("%s needs %s, which is not in %v", file, lib, dirs)
		}
		found = append(found, path.Join(dirs[i], lib))
	}
	return found, nil
}

// moduleOrder returns paths in tree of the named modules and of all that they
// depend on, each after what it needs (modules.dep(5)).
func moduleOrder(tree string, names []string) ([]string, error) {
	found, err := fs.Glob(os.DirFS(tree), "usr/lib/modules/*/modules.dep")
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("want the modules of one kernel in the base image, found %q", found)
	}
	deps, err := os.ReadFile(filepath.Join(tree, found[0]))
	if err != nil {
		return nil, err
	}
	return orderModules(string(deps), path.Dir(found[0]), names)
}

func orderModules(deps, dir string, names []string) ([]string, error) {
	lines := map[string][]string{}
	for line := range strings.Lines(deps) {
		module, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, _, _ := strings.Cut(path.Base(module), ".")
		// The list of needs is complete, nearest first.
		order := append([]string{module}, strings.Fields(needs)...)
		slices.Reverse(order)
		lines[name] = order
	}
	var ordered []string
	for _, name := range names {
		order, ok := lines[name]
		if !ok {
			return nil, fmt.Errorf("the kernel has no module %s", name)
		}
		for _, m := range order {
			if m = path.Join(dir, m); !slices.Contains(ordered, m) {
				ordered = append(ordered, m)
			}
		}
	}
	return ordered, nil
}

// readModule returns a module's content; the guest's kernel would unpack xz
// more slowly, or not at all.
func readModule(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := xz.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("cannot unpack %s: %w", file, err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot unpack %s: %w", file, err)
	}
	return b, nil
}
