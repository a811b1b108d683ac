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

// Glob is as in package filepath.
func Glob(pattern string) ([]string, error) {
	parts := strings.Split(pattern, "/")
	wild := slices.IndexFunc(parts, func(part string) bool { return strings.ContainsAny(part, "*?[") })
	if wild < 0 {
		if _, err := os.Lstat(pattern); err != nil {
			return nil, nil
		}
		return []string{pattern}, nil
	}
	dir, rest := strings.Join(parts[:wild], "/"), strings.Join(parts[wild+1:], "/")
	entries, _ := os.ReadDir(dir)
	var found []string
	for _, e := range entries {
		if ok, err := path.Match(parts[wild], e.Name()); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		below, err := Glob(strings.TrimSuffix(dir+"/"+e.Name()+"/"+rest, "/"))
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}
