package image

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// shipped leaves out what is in files that Debian packages brought, and that are
// still as they came: test keys and the like, which everybody has. The sums are
// those of dpkg; they guard from confusion, not from forgery, and a finding that
// cannot be looked up stays.
func shipped(root string, all []Finding) (rest []Finding, left int) {
	suspect := map[string]bool{}
	for _, f := range all {
		if strings.HasPrefix(f.Path, "/usr/") {
			suspect[f.Path] = true
		}
	}
	if len(suspect) == 0 {
		return all, 0
	}
	sums := map[string]string{}
	lists, _ := filepath.Glob(filepath.Join(root, "/var/lib/dpkg/info/*.md5sums"))
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for entry := range bytes.Lines(b) {
			sum, path, _ := strings.Cut(strings.TrimSpace(string(entry)), "  ")
			if suspect["/"+path] {
				sums["/"+path] = sum
			}
		}
	}
	for _, f := range all {
		if sum, known := sums[f.Path]; known && sum == md5Of(filepath.Join(root, f.Path)) {
			left++
		} else {
			rest = append(rest, f)
		}
	}
	return rest, left
}

// md5Of returns "", which is no sum, for a file that cannot be read.
func md5Of(path string) string {
	f, err := open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
