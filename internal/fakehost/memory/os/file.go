package os

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
)

// File is an open file.
type File struct {
	t    *tree
	n    *inode
	name string
	at   int64
}

func (n *inode) length() int64 {
	if n.pages == nil {
		return int64(len(n.text))
	}
	return n.size
}

// paged brings a file into pages.
func (n *inode) paged() {
	if n.pages != nil {
		return
	}
	text := n.text
	n.text = nil
	n.resize(int64(len(text)))
	n.write(text, 0, true)
}

func (n *inode) resize(size int64) {
	n.turn++
	count := int((size + pageSize - 1) / pageSize)
	if count < len(n.pages) {
		n.pages = n.pages[:count]
	}
	pages := make([]*page, count, count+1) // never nil: a file of no bytes has pages too
	copy(pages, n.pages)
	n.pages, n.size = pages, size
}

func (n *inode) read(b []byte, off int64) int {
	if n.pages == nil {
		if off >= int64(len(n.text)) {
			return 0
		}
		return copy(b, n.text[off:])
	}
	total := int(max(0, min(int64(len(b)), n.size-off)))
	for done := 0; done < total; {
		at := off + int64(done)
		part := b[done:min(total, done+pageSize-int(at%pageSize))]
		if p := n.pages[at/pageSize]; p == nil {
			clear(part)
		} else {
			copy(part, p[at%pageSize:])
		}
		done += len(part)
	}
	return total
}

var zeros page

// write writes; unless synced, a power cut may lose it.
func (n *inode) write(b []byte, off int64, synced bool) {
	n.turn++
	for len(b) > 0 {
		i, from := int(off/pageSize), off%pageSize
		part := b[:min(len(b), pageSize-int(from))]
		b, off = b[len(part):], off+int64(len(part))
		p := n.pages[i]
		if p == nil && string(part) == string(zeros[:len(part)]) {
			continue // a hole is zeros already
		}
		if !synced {
			if n.lost == nil {
				n.lost = map[int]*page{}
			}
			if _, noted := n.lost[i]; !noted {
				n.lost[i] = nil
				if p != nil {
					before := *p
					n.lost[i] = &before
				}
			}
		}
		if p == nil {
			p = new(page)
			n.pages[i] = p
		}
		copy(p[from:], part)
	}
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.n.dir != nil {
		return 0, fail("read", f.name, syscall.EISDIR)
	}
	if f.n.sick && strings.Contains(f.name, "/dev/") && off < f.n.length()/8*5+sickSpan && off+int64(len(b)) > f.n.length()/8*5 {
		return 0, fail("read", f.name, syscall.EIO)
	}
	got := f.n.read(b, off)
	if got < len(b) {
		return got, io.EOF
	}
	return got, nil
}

// Read implements io.Reader.
func (f *File) Read(b []byte) (int, error) {
	got, err := f.ReadAt(b, f.at)
	f.at += int64(got)
	if got > 0 {
		err = nil
	}
	return got, err
}

// WriteAt implements io.WriterAt.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.n.paged()
	if end := off + int64(len(b)); end > f.n.size {
		f.n.resize(end)
	}
	f.n.write(b, off, false)
	return len(b), nil
}

// Write implements io.Writer.
func (f *File) Write(b []byte) (int, error) {
	got, err := f.WriteAt(b, f.at)
	f.at += int64(got)
	return got, err
}

// WriteString implements io.StringWriter.
func (f *File) WriteString(s string) (int, error) { return f.Write([]byte(s)) }

// Sync is as in package os, but what Flushing was told may fail the flush of a device.
func (f *File) Sync() error {
	if f.t.flushing != nil && strings.Contains(f.name, "/dev/") {
		if err := f.t.flushing(); err != nil {
			return err
		}
	}
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.n.lost = nil
	return nil
}

// Truncate is as in package os.
func (f *File) Truncate(size int64) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.n.paged()
	f.n.resize(size)
	return nil
}

// Seek knows of the file's beginning, and of data and holes (lseek(2)).
func (f *File) Seek(off int64, whence int) (int64, error) {
	const seekData, seekHole = 3, 4
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.n.paged()
	if whence == io.SeekStart {
		f.at = off
		return off, nil
	}
	if whence != seekData && whence != seekHole {
		return 0, fail("seek", f.name, syscall.EINVAL)
	}
	for i := off / pageSize; i < int64(len(f.n.pages)); i++ {
		if (f.n.pages[i] != nil) == (whence == seekData) {
			return max(off, i*pageSize), nil
		}
	}
	if whence == seekData {
		return 0, fail("seek", f.name, syscall.ENXIO)
	}
	return f.n.size, nil
}

// Stat is as in package os.
func (f *File) Stat() (fs.FileInfo, error) { return entry{f.name, f.n}, nil }

// Close is as in package os.
func (f *File) Close() error { return nil }

// Fd is no file descriptor: a model's file has none.
func (f *File) Fd() uintptr { return ^uintptr(0) }

// SyscallConn is not to be had.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	return nil, fail("syscallconn", f.name, syscall.EINVAL)
}

// sickSpan is how many bytes of a sick device cannot be read, from five eighths on:
// behind its middle, where a second LUKS header could be looked for.
const sickSpan = 64 << 10

// Sick makes a file one that, as a device, can be written to and not be read
// everywhere; or ends that. It returns the name.
func Sick(name string, on bool) string {
	if f, err := Open(name); err == nil {
		f.t.mu.Lock()
		defer f.t.mu.Unlock()
		f.n.sick = on
	}
	return name
}

// Flushing has f called before a device of the machine with this root is flushed;
// where it fails, nothing is.
func Flushing(root string, f func() error) {
	if t := of(root + "/"); t != nil {
		defer t.mu.Unlock()
		t.flushing = f
	}
}

// Unsynced tells whether a power cut could lose something of a file.
func Unsynced(name string) bool {
	f, err := Open(name)
	if err != nil {
		return false
	}
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	return len(f.n.lost) > 0
}

// Lose makes a file what a power cut leaves of it: of the pages that were not
// synced those survive that keep says, and of each other one as many sectors from
// its beginning on as keep says.
func Lose(name string, keep func() bool) {
	f, err := Open(name)
	if err != nil {
		return
	}
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	for _, i := range slices.Sorted(maps.Keys(f.n.lost)) {
		if keep() {
			continue
		}
		torn := 0
		for torn < pageSize && keep() {
			torn += sectorSize
		}
		before := f.n.lost[i]
		if torn > 0 && f.n.pages[i] != nil {
			mixed := *f.n.pages[i]
			if before == nil {
				before = &zeros
			}
			copy(mixed[torn:], before[torn:])
			before = &mixed
		}
		f.n.pages[i] = before
	}
	f.n.turn++
	f.n.lost = nil
}

// Version changes with the content of a file.
func Version(name string) uint64 {
	t := of(name)
	if t == nil {
		return 0
	}
	defer t.mu.Unlock()
	if n, _ := t.find(name); n != nil {
		return n.turn + 1
	}
	return 0
}

// NewFile is of no use here; a model's devices come and go without a word.
func NewFile(uintptr, string) *File { return nil }
