package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"bootswain/lab"
)

// forms are what a leaked key could look like.
func (b *bench) forms() map[string][]byte {
	return map[string][]byte{
		"as it is": b.canary,
		"base64":   []byte(strings.TrimRight(base64.StdEncoding.EncodeToString(b.canary), "=")),
		"hex":      []byte(hex.EncodeToString(b.canary)),
	}
}

// noLeak looks for the volumes' key in all that a running machine shows. The
// guest searches by itself, with the key on a pipe; it must find something to
// search in, or it is blind.
func (b *bench) noLeak(m *lab.Machine, when string) {
	b.Helper()
	places := map[string]string{
		"journal":             "journalctl --all --no-pager -o export",
		"process list":        "ps axww -o args",
		"environments":        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline",
		"/run":                "find /run -xdev -type f -exec cat {} +",
		"systemctl show":      "systemctl show '*' --no-pager",
		"dmsetup table":       "dmsetup table --showkeys",
		"kernel log":          "dmesg",
		"status and plan":     "bootswain status --json; bootswain plan",
		"the agent's folders": "find /etc/bootswain -type f -exec cat {} +",
	}
	var patterns []byte
	for _, form := range b.forms() {
		patterns = append(append(patterns, form...), '\n')
	}
	for place, script := range places {
		search := fmt.Sprintf("exec 9<&0 </dev/null 2>/dev/null; { %s; } >/dev/shm/place; wc -c </dev/shm/place; grep -acF -f /dev/fd/9 /dev/shm/place; rm /dev/shm/place", script)
		out, err := m.RunInput(b.ctx, patterns, "sh", "-c", search)
		must(b, err)
		var size, hits int
		if _, err := fmt.Sscan(out.Stdout, &size, &hits); err != nil || size == 0 {
			b.Errorf("nothing to search in %s: %q, %v", place, out.Stdout, err)
		}
		if hits > 0 {
			b.Errorf("the key is in %s, %s, on %d lines", place, when, hits)
		}
	}
	if table := b.sh(m, "dmsetup table --showkeys"); strings.Count(table, ":logon:cryptsetup:") != strings.Count(table, " crypt ") {
		b.Errorf("the kernel's keyring does not hold every volume's key: %s", table)
	}
	b.step("no key in %d places, %s", len(places), when)
}

func (b *bench) search(in []byte, place string) {
	b.Helper()
	for form, key := range b.forms() {
		if bytes.Contains(in, key) {
			b.Errorf("the key is on %s, %s", place, form)
		}
	}
}

// notOnDisk reads the root disk of a machine that is off and its volumes, byte
// by byte.
func (b *bench) notOnDisk(m *lab.Machine, volumes []*lab.Volume) {
	b.Helper()
	raw := filepath.Join(b.TempDir(), "root.raw")
	out, err := exec.CommandContext(b.ctx, "qemu-img", "convert", "-O", "raw", m.RootDisk(), raw).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(raw)
	must(b, err)
	defer f.Close()
	if b.everyByte(f, "the root disk", "AGE-SECRET-KEY-1") == 0 {
		b.Error("the search is blind: it does not even find the image's identity on the root disk")
	}
	for _, v := range volumes {
		b.everyByte(io.NewSectionReader(v, 0, v.Size()), v.ID, "LUKS")
	}
	b.step("no key on the root disk or on %d volumes, byte by byte", len(volumes))
}

// everyByte searches a disk for the key, and counts a text that may be there.
func (b *bench) everyByte(r io.ReaderAt, disk, text string) (found int) {
	b.Helper()
	piece := make([]byte, 8<<20) // overlapping by more than the longest form
	for at := int64(0); ; at += int64(len(piece)) - 256 {
		n, err := r.ReadAt(piece, at)
		b.search(piece[:n], disk)
		found += bytes.Count(piece[:n], []byte(text))
		if err == io.EOF {
			return found
		}
		must(b, err)
	}
}
