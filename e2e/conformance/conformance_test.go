// Package conformance runs the rooms' own suites on real tools: mdadm,
// cryptsetup, mkfs and a kernel, in a micro guest with four NVMe disks.
package conformance

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/lab/image"
)

// sizes of the disks: mkfs.xfs takes no less than 300 MiB, which two of the first
// carry together and the last alone. Every byte of them is read again and again.
var sizes = []int64{176 << 20, 176 << 20, 176 << 20, 336 << 20}

// TestVolume runs volume's conformance suite, which unit tests run on the model
// machine, on the real one.
func TestVolume(t *testing.T) {
	if os.Getenv("BOOTSWAIN_E2E") == "" {
		t.Skip("set BOOTSWAIN_E2E=1 to start virtual machines")
	}
	binary := filepath.Join(t.TempDir(), "volume.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, "bootswain/volume")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	base, err := image.Base(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	micro, err := image.BuildMicro(t.Context(), t.Output(), base, binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := micro.Remove(); err != nil {
			t.Error(err)
		}
	}()
	args := []string{"-test.run=^TestConformance$", "-test.v", "-real"}
	if filter := os.Getenv("BOOTSWAIN_E2E_CASE"); filter != "" {
		args[0] = "-test.run=^TestConformance$/" + filter
	}
	var console strings.Builder
	exit, err := image.RunMicro(t.Context(), micro, image.MicroRun{Disks: disks(t), Args: args, Timeout: 8 * time.Minute, Out: io.MultiWriter(t.Output(), &console)})
	if err != nil || exit != 0 {
		t.Fatalf("exit %d, %v, of\n%s", exit, err, failed(console.String()))
	}
}

// failed is what the guest's failed cases said, once more, for who reads the end
// of a log only. Empty when the guest did not come so far.
func failed(console string) string {
	var lines []string
	said := false
	for line := range strings.Lines(console) {
		if mark := strings.TrimSpace(line); strings.HasPrefix(mark, "=== ") || strings.HasPrefix(mark, "--- ") {
			said = false
			if name, found := strings.CutPrefix(mark, "--- FAIL: "); found {
				lines = append(lines, name+"\n")
			}
			continue
		}
		if strings.Contains(line, "_test.go:") {
			said = true
		}
		if said {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// disks makes four blank disks.
func disks(t *testing.T) []image.MicroDisk {
	t.Helper()
	var list []image.MicroDisk
	for i, serial := range []string{"vol0a000011", "vol0a000022", "vol0a000033", "vol0a000044"} {
		file := filepath.Join(t.TempDir(), serial)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, sizes[i]); err != nil {
			t.Fatal(err)
		}
		list = append(list, image.MicroDisk{File: file, Serial: serial})
	}
	return list
}
