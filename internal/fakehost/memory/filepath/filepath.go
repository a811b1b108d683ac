// Package filepath stands in for the package of that name, as package os beside
// it does for its own.
package filepath

import (
	"path"
	"strings"

	"bootswain/internal/fakehost/memory/os"
)

// As in package filepath.
var (
	Join  = path.Join
	Base  = path.Base
	Dir   = path.Dir
	Clean = path.Clean
)

// Glob is as in package filepath.
func Glob(pattern string) ([]string, error) {
	found := []string{"/"}
	for _, part := range strings.Split(strings.TrimPrefix(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			if !strings.ContainsAny(part, "*?[") {
				next = append(next, path.Join(dir, part))
				continue
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if ok, err := path.Match(part, e.Name()); err != nil {
					return nil, err
				} else if ok {
					next = append(next, path.Join(dir, e.Name()))
				}
			}
		}
		found = next
	}
	var there []string
	for _, name := range found {
		if _, err := os.Lstat(name); err == nil {
			there = append(there, name)
		}
	}
	return there, nil
}
