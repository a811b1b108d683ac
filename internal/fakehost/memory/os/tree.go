// Package os stands in for the package of that name where the model machine is
// to be quick: a build of the tests replaces the import of the one by the other
// (see package bootswain/internal/fakehost/memory), and the same sources find
// /dev, /sys and /proc of a model machine in memory. Nothing outside it exists.
//
// It knows what a power cut would lose: what was written to a file and not
// synced. It knows exclusive opening too: a device that another stands on, as
// /sys has it, is busy. It has only what the rooms use of package os.
package os

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

const (
	pageSize   = 4096
	sectorSize = 512 // what a power cut does not tear
)

type page [pageSize]byte

// inode is a directory, a link or a file. A file's content is text, as long as it
// was only written as a whole, or pages; a page that is nil is a hole.
type inode struct {
	dir   []string // names in it, sorted; nil for anything else
	to    string   // of a link
	text  []byte
	pages []*page
	size  int64
	sick  bool          // its middle cannot be read
	turn  uint64        // changes with the content
	lost  map[int]*page // what pages would be after a power cut, where that differs
}

// tree is the files of one machine, by path.
type tree struct {
	mu       sync.Mutex
	nodes    map[string]*inode
	flushing func() error // see Flushing
}

var (
	all   sync.RWMutex
	trees = map[string]*tree{} // by the machine's root
	last  int
)

// root begins the path of every machine's root.
const root = "/model/"

// of returns the tree that a path lies in, locked, or nil.
func of(name string) *tree {
	if rest, ok := strings.CutPrefix(name, root); ok {
		top, _, _ := strings.Cut(rest, "/")
		all.RLock()
		t := trees[top]
		all.RUnlock()
		if t != nil {
			t.mu.Lock()
		}
		return t
	}
	return nil
}

func fail(op, name string, errno syscall.Errno) error {
	return &fs.PathError{Op: op, Path: name, Err: errno}
}

// find returns the node at a path, through links, and its own path; nil for none.
func (t *tree) find(name string) (*inode, string) {
	for range 8 {
		n := t.nodes[name]
		if n == nil || n.to == "" {
			return n, name
		}
		if path.IsAbs(n.to) {
			name = n.to
		} else {
			name = path.Join(path.Dir(name), n.to)
		}
	}
	return nil, name
}

// add makes a node in its directory.
func (t *tree) add(name string, n *inode) error {
	dir, base := split(name)
	parent := t.nodes[dir]
	if parent == nil || parent.dir == nil {
		return fail("open", name, syscall.ENOENT)
	}
	if i, there := slices.BinarySearch(parent.dir, base); !there {
		parent.dir = slices.Insert(parent.dir, i, base)
	}
	t.nodes[name] = n
	return nil
}

// split cuts a path before its last name.
func split(name string) (dir, base string) {
	i := strings.LastIndexByte(name, '/')
	return name[:i], name[i+1:]
}

func (t *tree) remove(name string) {
	n := t.nodes[name]
	if n == nil {
		return
	}
	t.forget(name, n)
	dir, base := split(name)
	if parent := t.nodes[dir]; parent != nil {
		parent.dir = slices.DeleteFunc(parent.dir, func(child string) bool { return child == base })
	}
}

// forget takes away a node and what is below it.
func (t *tree) forget(name string, n *inode) {
	for _, child := range n.dir {
		below := name + "/" + child
		t.forget(below, t.nodes[below])
	}
	delete(t.nodes, name)
}

// busy tells whether /sys says that something stands on the device of that name.
func (t *tree) busy(name string) bool {
	dev, device := split(name)
	top, _ := split(dev)
	n := t.nodes[top+"/sys/block/"+device+"/holders"]
	return n != nil && len(n.dir) > 0
}

// MkdirTemp makes the root of a machine.
func MkdirTemp(string, string) (string, error) {
	all.Lock()
	defer all.Unlock()
	last++
	top := fmt.Sprint(last)
	trees[top] = &tree{nodes: map[string]*inode{root + top: {dir: []string{}}}}
	return root + top, nil
}

// RemoveAll removes a path and what is below it.
func RemoveAll(name string) error {
	if top := strings.TrimPrefix(name, root); !strings.Contains(top, "/") {
		all.Lock()
		delete(trees, top)
		all.Unlock()
		return nil
	}
	if t := of(name); t != nil {
		defer t.mu.Unlock()
		t.remove(name)
	}
	return nil
}
