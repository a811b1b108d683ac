package os

import (
	"io/fs"
	"path"
	"slices"
	"syscall"
	"time"
)

// As in package os.
const (
	O_RDONLY = syscall.O_RDONLY
	O_WRONLY = syscall.O_WRONLY
	O_RDWR   = syscall.O_RDWR
	O_CREATE = syscall.O_CREAT
	O_EXCL   = syscall.O_EXCL
	O_TRUNC  = syscall.O_TRUNC
)

// ErrNotExist is as in package os.
var ErrNotExist = fs.ErrNotExist

// Getenv returns "": the model's processes have no environment.
func Getenv(string) string { return "" }

// Open is as in package os.
func Open(name string) (*File, error) { return OpenFile(name, O_RDONLY, 0) }

// Create is as in package os.
func Create(name string) (*File, error) { return OpenFile(name, O_RDWR|O_CREATE|O_TRUNC, 0o666) }

// OpenFile is as in package os.
func OpenFile(name string, flag int, _ fs.FileMode) (*File, error) {
	t := of(name)
	if t == nil {
		return nil, fail("open", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	n, at := t.find(name)
	switch {
	case n == nil && flag&O_CREATE == 0:
		return nil, fail("open", name, syscall.ENOENT)
	case n == nil:
		n = &inode{}
		if err := t.add(at, n); err != nil {
			return nil, err
		}
	case flag&O_EXCL != 0 && t.busy(name):
		return nil, fail("open", name, syscall.EBUSY)
	}
	if flag&O_TRUNC != 0 {
		*n = inode{}
	}
	return &File{t: t, n: n, name: name}, nil
}

// ReadFile is as in package os.
func ReadFile(name string) ([]byte, error) {
	t := of(name)
	if t == nil {
		return nil, fail("open", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	n, _ := t.find(name)
	switch {
	case n == nil:
		return nil, fail("open", name, syscall.ENOENT)
	case n.dir != nil:
		return nil, fail("read", name, syscall.EISDIR)
	}
	b := make([]byte, n.length())
	n.read(b, 0)
	return b, nil
}

// WriteFile is as in package os.
func WriteFile(name string, data []byte, _ fs.FileMode) error {
	t := of(name)
	if t == nil {
		return fail("open", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	n, at := t.find(name)
	if n == nil {
		return t.add(at, &inode{text: slices.Clone(data)})
	}
	*n = inode{text: slices.Clone(data)}
	return nil
}

// Truncate is as in package os.
func Truncate(name string, size int64) error {
	f, err := Open(name)
	if err != nil {
		return err
	}
	return f.Truncate(size)
}

// entry is a directory's, or what is known of a file.
type entry struct {
	name string
	n    *inode
}

func (e entry) Name() string { return e.name }
func (e entry) IsDir() bool  { return e.n.dir != nil }
func (e entry) Size() int64  { return e.n.length() }
func (e entry) Mode() fs.FileMode {
	if e.IsDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
func (e entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e entry) ModTime() time.Time         { return time.Time{} }
func (e entry) Sys() any                   { return nil }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }

// ReadDir is as in package os.
func ReadDir(name string) ([]fs.DirEntry, error) {
	t := of(name)
	if t == nil {
		return nil, fail("open", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	n, at := t.find(name)
	if n == nil {
		return nil, fail("open", name, syscall.ENOENT)
	}
	list := make([]fs.DirEntry, 0, len(n.dir))
	for _, child := range n.dir {
		list = append(list, entry{child, t.nodes[at+"/"+child]})
	}
	return list, nil
}

// Stat is as in package os.
func Stat(name string) (fs.FileInfo, error) {
	t := of(name)
	if t == nil {
		return nil, fail("stat", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	n, _ := t.find(name)
	if n == nil {
		return nil, fail("stat", name, syscall.ENOENT)
	}
	return entry{path.Base(name), n}, nil
}

// Lstat is as in package os.
func Lstat(name string) (fs.FileInfo, error) {
	t := of(name)
	if t == nil {
		return nil, fail("lstat", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	n := t.nodes[name]
	if n == nil {
		return nil, fail("lstat", name, syscall.ENOENT)
	}
	return entry{path.Base(name), n}, nil
}

// MkdirAll is as in package os.
func MkdirAll(name string, mode fs.FileMode) error {
	t := of(name)
	if t == nil {
		return fail("mkdir", name, syscall.ENOENT)
	}
	n := t.nodes[name]
	t.mu.Unlock()
	if n != nil {
		return nil
	}
	dir, _ := split(name)
	if err := MkdirAll(dir, mode); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.add(name, &inode{dir: []string{}})
}

// Symlink is as in package os.
func Symlink(to, name string) error {
	t := of(name)
	if t == nil {
		return fail("symlink", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	if t.nodes[name] != nil {
		return fail("symlink", name, syscall.EEXIST)
	}
	return t.add(name, &inode{to: to})
}

// Readlink is as in package os.
func Readlink(name string) (string, error) {
	t := of(name)
	if t == nil {
		return "", fail("readlink", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	n := t.nodes[name]
	switch {
	case n == nil:
		return "", fail("readlink", name, syscall.ENOENT)
	case n.to == "":
		return "", fail("readlink", name, syscall.EINVAL)
	}
	return n.to, nil
}

// Remove is as in package os.
func Remove(name string) error {
	t := of(name)
	if t == nil {
		return fail("remove", name, syscall.ENOENT)
	}
	defer t.mu.Unlock()
	if t.nodes[name] == nil {
		return fail("remove", name, syscall.ENOENT)
	}
	t.remove(name)
	return nil
}
