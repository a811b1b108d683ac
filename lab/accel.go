package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Accel is how the processor of a machine is had.
type Accel string

// KVM is as fast as the host, TCG some ten times slower and always there.
const (
	KVM Accel = "kvm"
	TCG Accel = "tcg"
)

// Describe says it to a person.
func (a Accel) Describe() string {
	if a == KVM {
		return "KVM"
	}
	return "TCG, emulated: KVM does not work here"
}

// probeTime is how long the probe guest may take; with a KVM that works it
// needs well under a second.
const probeTime = 8 * time.Second

// probeGuest is a boot sector that writes 0x10 to I/O port 0x501, where
// QEMU's isa-debug-exit turns it into exit status 0x21:
// mov dx,0x501; mov al,0x10; out dx,al; hlt; jmp to the hlt.
var probeGuest = append(append([]byte("\xba\x01\x05\xb0\x10\xee\xf4\xeb\xfd"), make([]byte, 501)...), 0x55, 0xaa)

const probeExit = 0x10<<1 | 1

// FindAccel says which acceleration works on this host. A /dev/kvm that opens
// proves nothing: some hang the guest in its firmware. So a tiny guest is
// booted once, and the answer kept until the host boots again.
func FindAccel(ctx context.Context) (Accel, error) {
	known, err := accelFile()
	if err != nil {
		return "", err
	}
	if b, err := os.ReadFile(known); err == nil {
		return Accel(b), nil
	}
	accel, err := probe(ctx, filepath.Dir(known))
	if err != nil {
		return "", err
	}
	return accel, os.WriteFile(known, []byte(accel), 0o600)
}

// accelFile is where the answer is kept: its name changes with every boot.
func accelFile() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "bootswain", "lab")
	return filepath.Join(dir, "accel-"+strings.TrimSpace(string(boot))), os.MkdirAll(dir, 0o700)
}

func probe(ctx context.Context, dir string) (Accel, error) {
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return TCG, nil
	}
	kvm.Close()
	guest, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return "", err
	}
	defer os.Remove(guest.Name())
	defer guest.Close()
	if _, err := guest.Write(probeGuest); err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	err = exec.CommandContext(limited, qemuBinary, "-accel", "kvm", "-cpu", "host", "-m", "64",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-device", "isa-debug-exit,iobase=0x501,iosize=1",
		"-drive", "format=raw,file="+guest.Name()).Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case exited && exit.ExitCode() == probeExit:
		return KVM, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not installed", qemuBinary)
	}
	return TCG, nil
}
