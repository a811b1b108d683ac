// Package conformance runs the rooms' own suites on real tools: mdadm,
// cryptsetup, mkfs and a kernel, in micro guests.
package conformance

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bootswain/lab/image"
)

// TestVolume runs volume's conformance suite, which unit tests run on the model
// machine, on the real one.
func TestVolume(t *testing.T) {
	run := "^TestConformance$"
	if filter := os.Getenv("BOOTSWAIN_E2E_CASE"); filter != "" {
		run += "/" + filter
	}
	// mkfs.xfs takes no less than 300 MiB, which two of the first carry together
	// and the last alone. Every byte of them is read again and again.
	inGuest(t, image.MicroRun{
		Disks: append(disks(t, 176<<20, 176<<20, 176<<20, 416<<20), stores(t, 176<<20, 176<<20)...), Timeout: 10 * time.Minute,
		Args: []string{"-test.run=" + run, "-test.v", "-real"},
	})
}

// TestWalk lets some of the random sequences that the model machine walks by the
// hundred thousand happen to the real one.
func TestWalk(t *testing.T) {
	sequences := cmp.Or(os.Getenv("BOOTSWAIN_REAL_SEQUENCES"), "4")
	inGuest(t, image.MicroRun{
		Disks: disks(t, 176<<20, 176<<20, 176<<20, 336<<20), Timeout: 4 * time.Hour,
		Args: []string{"-test.run=^TestWalk$", "-test.v", "-test.timeout=0", "-real", "-sequences=" + sequences},
	})
}

// inGuest runs the tests of package volume that r names in a micro guest.
func inGuest(t *testing.T, r image.MicroRun) {
	t.Helper()
	inGuestOf(t, "bootswain/volume", r)
}

// inGuestOf runs the tests of another package.
func inGuestOf(t *testing.T, room string, r image.MicroRun) {
	t.Helper()
	if os.Getenv("BOOTSWAIN_E2E") == "" {
		t.Skip("set BOOTSWAIN_E2E=1 to start virtual machines")
	}
	micro, err := image.BuildMicroTest(t.Context(), t.Output(), room)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := micro.Remove(); err != nil {
			t.Error(err)
		}
	}()
	var console strings.Builder
	r.Out = io.MultiWriter(t.Output(), &console)
	exit, err := image.RunMicro(t.Context(), micro, r)
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

// disks makes blank EBS volumes of these sizes.
func disks(t *testing.T, sizes ...int64) []image.MicroDisk {
	return numbered(t, "vol0a0000%02d", sizes)
}

// stores makes blank disks of instance storage. On EC2 the model tells them from
// volumes; QEMU has one model for all.
func stores(t *testing.T, sizes ...int64) []image.MicroDisk { return numbered(t, "AWS%017d", sizes) }

// numbered makes blank disks whose serials have this form.
func numbered(t *testing.T, form string, sizes []int64) []image.MicroDisk {
	t.Helper()
	var list []image.MicroDisk
	for i, size := range sizes {
		serial := fmt.Sprintf(form, 11*(i+1))
		file := filepath.Join(t.TempDir(), serial)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, size); err != nil {
			t.Fatal(err)
		}
		list = append(list, image.MicroDisk{File: file, Serial: serial})
	}
	return list
}
