// Package filepath stands in for the package of that name, as package os beside
// it does for its own.
package filepath

import (
	"path"
	"slices"
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

// Glob is as in package filepath; the pattern begins with a slash.
func Glob(pattern string) ([]string, error) {
	found := []string{""}
	for _, part := range strings.Split(pattern[1:], "/") {
		if !strings.ContainsAny(part, "*?[") {
			for i := range found {
				found[i] += "/" + part
			}
			continue
		}
		var next []string
		for _, dir := range found {
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if ok, err := path.Match(part, e.Name()); err != nil {
					return nil, err
				} else if ok {
					next = append(next, dir+"/"+e.Name())
				}
			}
		}
		found = next
	}
	return slices.DeleteFunc(found, func(name string) bool {
		_, err := os.Lstat(name)
		return err != nil
	}), nil
}
