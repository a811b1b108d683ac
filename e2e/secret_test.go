package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
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

// noLeak looks for the volumes' key in all that a running machine shows.
func (b *bench) noLeak(m *lab.Machine, when string) {
	b.Helper()
	places := map[string]string{
		"journal":             "journalctl --all --no-pager -o export",
		"process list":        "ps axww -o args",
		"environments":        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null || true",
		"/run":                "find /run -xdev -type f -exec cat {} +",
		"systemctl show":      "systemctl show '*' --no-pager",
		"dmsetup table":       "dmsetup table --showkeys",
		"kernel log":          "dmesg",
		"LUKS headers":        "for d in /dev/md12* /dev/nvme[1-9]n1; do head -c 33554432 $d; done",
		"status and plan":     "bootswain status --json; bootswain plan",
		"the agent's folders": "find /etc/bootswain /var/lib/bootswain -type f -exec cat {} + 2>/dev/null || true",
	}
	for place, script := range places {
		out, err := m.SSH(b.ctx, b.ops.name, b.ops.signer, "sudo -n sh -c '"+strings.ReplaceAll(script, "'", `'\''`)+"'")
		must(b.T, err)
		if out.Stdout == "" || out.Code != 0 {
			b.Errorf("nothing to search in %s: exit status %d, %s", place, out.Code, out.Stderr)
		}
		b.search([]byte(out.Stdout), place+", "+when)
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
			b.Errorf("the key is in %s, %s", place, form)
		}
	}
}

// notOnDisk reads the root disk of a machine that is off, byte by byte.
func (b *bench) notOnDisk(m *lab.Machine) {
	b.Helper()
	raw := filepath.Join(b.TempDir(), "root.raw")
	out, err := exec.CommandContext(b.ctx, "qemu-img", "convert", "-O", "raw", m.RootDisk(), raw).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(raw)
	must(b.T, err)
	defer f.Close()
	// Pieces overlap by more than the longest form.
	piece := make([]byte, 8<<20)
	identity := 0
	for at := int64(0); ; at += int64(len(piece)) - 256 {
		n, err := f.ReadAt(piece, at)
		b.search(piece[:n], "the root disk")
		identity += bytes.Count(piece[:n], []byte("AGE-SECRET-KEY-1"))
		if err == io.EOF {
			break
		}
		must(b.T, err)
	}
	if identity == 0 {
		b.Error("the search is blind: it does not even find the image's identity on the root disk")
	}
	b.step("no key on the root disk, byte by byte")
}
