// Command microinit is process 1 of the micro guest. It mounts the kernel's
// file systems, loads /modules in the order of their names, runs /test with
// the arguments of /args, sends what it prints to one virtio port and its
// exit code to another, and turns the guest off. It runs nowhere else.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience with the kernel, which finds devices beside us; under emulation on a
// busy host that takes long.
const patience = 2 * time.Minute

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "microinit:", err)
	} else if err := report(code); err != nil {
		fmt.Fprintln(os.Stderr, "microinit:", err)
	}
	unix.Sync()
	// If even this fails, process 1 ends and the kernel panics: QEMU ends too.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// run returns the exit code of /test.
func run() (int, error) {
	for _, m := range []struct{ kind, where string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"},
	} {
		if err := unix.Mount(m.kind, m.where, m.kind, 0, ""); err != nil {
			return 0, fmt.Errorf("cannot mount %s: %w", m.where, err)
		}
	}
	loadModules()
	if err := awaitDisks(); err != nil {
		return 0, err
	}
	b, err := os.ReadFile("/args")
	if err != nil {
		return 0, fmt.Errorf("cannot read the arguments: %w", err)
	}
	var args []string
	if err := json.Unmarshal(b, &args); err != nil {
		return 0, fmt.Errorf("cannot read the arguments: %w", err)
	}
	out, err := port("bootswain.output")
	if err != nil {
		return 0, err
	}
	test := exec.Command("/test", args...)
	test.Stdout, test.Stderr = out, out
	// Without udev the device mapper's library makes its own device nodes.
	test.Env = []string{"PATH=/usr/sbin:/usr/bin", "HOME=/root", "TMPDIR=/tmp", "LC_ALL=C", "DM_DISABLE_UDEV=1"}
	err = test.Run()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return 0, fmt.Errorf("cannot run the test: %w", err)
	}
	return test.ProcessState.ExitCode(), nil
}

// loadModules says what it could not load and goes on: a module may be for
// another processor, and a test that misses one fails with its own words.
func loadModules() {
	files, _ := filepath.Glob("/modules/*")
	for _, file := range files {
		f, err := os.Open(file)
		if err == nil {
			err = unix.FinitModule(int(f.Fd()), "", 0)
			_ = f.Close()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "microinit: cannot load %s: %v\n", file, err)
		}
	}
}

func report(code int) error {
	p, err := port("bootswain.exit")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p, "%d\n", code); err != nil {
		return fmt.Errorf("cannot report the exit code: %w", err)
	}
	return p.Close()
}

// awaitDisks waits until every NVMe controller on the PCI bus shows its disk:
// the kernel sets them up beside us.
func awaitDisks() error {
	want := 0
	classes, _ := filepath.Glob("/sys/bus/pci/devices/*/class")
	for _, c := range classes {
		if b, err := os.ReadFile(c); err == nil && strings.HasPrefix(string(b), "0x0108") {
			want++
		}
	}
	var disks []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		// With native multipath a hidden twin stands beside each disk, nvme0c0n1.
		if disks, _ = filepath.Glob("/sys/block/nvme[0-9]*n[0-9]*/dev"); len(disks) == want {
			return nil
		}
	}
	return fmt.Errorf("of %d disks the kernel found %v", want, disks)
}

// port opens the virtio port of that name, which the kernel may still be setting
// up.
func port(name string) (*os.File, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, n := range names {
			if b, err := os.ReadFile(n); err == nil && strings.TrimSpace(string(b)) == name {
				return os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(n))), os.O_WRONLY, 0)
			}
		}
	}
	return nil, fmt.Errorf("the guest has no port %s", name)
}
