// Package model runs volume's model-based tests as fast as they must be to walk
// very many sequences, and with bugs planted. It builds the very sources that
// are shipped, but against a package os in memory (internal/fakehost/memory) and
// with some sizes made small; planting a bug is one more change of a source.
// Nothing in the tree is touched: the changes are an overlay of the build.
package model

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms are the packages that see the model machine's files.
var rooms = []string{"volume", "ebs", "raid", "luks", "filesystem", "internal/direct", "internal/fakehost"}

// tests are the files of volume's tests that are built; others may use more of
// package os than there is in memory.
var tests = []string{"again_test.go", "bench_test.go", "cut_test.go", "deeds_test.go", "life_test.go", "machine_test.go", "walk_test.go", "walker_test.go"}

// change replaces text in a file of the tree. The text must be there once.
type change struct{ file, from, to string }

// scale makes what the model reads and writes small.
var scale = []change{
	{"luks/luks.go", "const dataOffset = 16 << 20", "const dataOffset = 256 << 10"},
	{"luks/copy.go", "minHeaderSize = 16 << 10", "minHeaderSize = 8 << 10"},
	{"luks/copy.go", "maxHeaderSize = 4 << 20", "maxHeaderSize = 64 << 10"},
	{"internal/fakehost/crypt.go", "const headerSize = 16 << 10", "const headerSize = 8 << 10"},
	{"filesystem/make.go", "return 16 << 20, nil", "return 256 << 10, nil"},
	{"volume/size.go", "minExt4 = 16 << 20", "minExt4 = 256 << 10"},
	{"volume/size.go", "memberSlack = 2 << 20", "memberSlack = 128 << 10"},
	{"filesystem/blank.go", "const span = 4 << 20", "const span = 64 << 10"},
	{"filesystem/fingerprint.go", "edge    = 1 << 20", "edge    = 64 << 10"},
	{"filesystem/fingerprint.go", "sample  = 64 << 10", "sample  = 4 << 10"},
	{"volume/claimstep.go", "const edge = 1 << 20", "const edge = 64 << 10"},
	{"volume/machine_test.go", "const diskSize = 48 << 20", "const diskSize = 1 << 20"},
	{"internal/fakehost/array.go", "const dataOffset = 1 << 20", "const dataOffset = 64 << 10"},
	{"internal/fakehost/bytes.go", "func unsynced(string) bool { return false }", "func unsynced(name string) bool { return os.Unsynced(name) }"},
	{"internal/fakehost/bytes.go", "func lose(string, func() bool) {}", "func lose(name string, keep func() bool) { os.Lose(name, keep) }"},
	{"internal/fakehost/bytes.go", "func flushing(string, func() error) {}", "func flushing(root string, f func() error) { os.Flushing(root, f) }"},
	{"internal/fakehost/bytes.go", "func unreadable(_, dir string) string { return dir }", "func unreadable(file, _ string) string { return os.Sick(file, true) }"},
	{"internal/fakehost/bytes.go", "func readable(file string) string { return file }", "func readable(file string) string { return os.Sick(file, false) }"},
	{"internal/fakehost/bytes.go", "func version(string) uint64 { return versions.Add(1) }", "func version(name string) uint64 { return os.Version(name) }"},
	{"internal/fakehost/bytes.go", "var versions atomic.Uint64", "var _ atomic.Uint64"},
	{"internal/fakehost/keyslot.go", "stripes     = 4000", "stripes     = 40"},
	{"internal/fakehost/keyslot.go", "keyslotArea = 258048", "keyslotArea = 4096"},
	{"internal/direct/direct.go", "func (f *File) read(p []byte, off int64) (int, error) {\n", "func (f *File) read(p []byte, off int64) (int, error) {\n\treturn f.wait(p, off) // memory answers\n"},
	{"internal/direct/direct.go", "func aligned(p []byte, off int64) bool {\n", "func aligned(p []byte, off int64) bool {\n\treturn true // for memory\n"},
	{"internal/direct/direct.go", "func Buffer(n int) []byte {\n", "func Buffer(n int) []byte {\n\treturn make([]byte, n)\n"},
	{"ebs/pin.go", `"golang.org/x/sys/unix"`, `"bootswain/internal/fakehost/memory/unix"`},
}

// inMemory are the imports that are replaced everywhere.
var inMemory = strings.NewReplacer(
	"\t\"os\"\n", "\t\"bootswain/internal/fakehost/memory/os\"\n", "import \"os\"\n", "import \"bootswain/internal/fakehost/memory/os\"\n",
	"\t\"path/filepath\"\n", "\t\"bootswain/internal/fakehost/memory/filepath\"\n",
)

// build builds volume's tests with these changes besides, and returns the path of
// the program.
func build(t *testing.T, changes ...change) (string, error) {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	all := append(slices.Clone(scale), changes...)
	for _, room := range rooms {
		files, err := filepath.Glob(filepath.Join(top, room, "*.go"))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			name := filepath.Base(file)
			if strings.HasSuffix(name, "_test.go") && (room != "volume" || !slices.Contains(tests, name)) {
				overlay.Replace[file] = ""
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			text := string(content)
			all = slices.DeleteFunc(all, func(c change) bool {
				if c.file != room+"/"+name {
					return false
				}
				if strings.Count(text, c.from) != 1 {
					err = fmt.Errorf("%s has this %d times, not once: %s", c.file, strings.Count(text, c.from), c.from)
				}
				text = strings.Replace(text, c.from, c.to, 1)
				return true
			})
			if err != nil {
				return "", err
			}
			replaced := filepath.Join(dir, strings.ReplaceAll(room, "/", "-")+"-"+name)
			if err := os.WriteFile(replaced, []byte(inMemory.Replace(text)), 0o600); err != nil {
				return "", err
			}
			overlay.Replace[file] = replaced
		}
	}
	if len(all) > 0 {
		return "", fmt.Errorf("there is no %s", all[0].file)
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "volume.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", list, "-o", program, "./volume")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build: %w\n%s", err, out)
	}
	return program, nil
}
