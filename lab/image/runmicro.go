package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Processor is what QEMU emulates: all that it can but what makes each instruction
// dearer, nested virtualization and a fifth level of page tables.
const Processor = "max,-svm,-vmx,-la57"

// MicroDisk is one NVMe device of a micro guest.
type MicroDisk struct {
	File   string // raw file, or an NBD address as QEMU writes it (nbd+unix:///…)
	Serial string // as on EBS: the volume id without its dash
}

// MicroRun says how a micro guest is run.
type MicroRun struct {
	Disks   []MicroDisk
	Args    []string      // arguments of the test binary
	Timeout time.Duration // then the guest is killed; 0 means two minutes
	Counted bool          // the guest has one processor, and its clock counts instructions: timings repeat
	Accel   string        // QEMU's -accel; "" means emulation
	Out     io.Writer     // what the test prints, as it prints it
}

// RunMicro boots a micro guest, runs its test binary to the end and returns
// that program's exit code. A guest that ends without reporting one is an
// error, which shows the end of its console.
func RunMicro(ctx context.Context, m Micro, r MicroRun) (exit int, err error) {
	dir, err := os.MkdirTemp("", "bootswain-micro-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	initrd, err := withArgs(m.Initrd, r.Args, dir)
	if err != nil {
		return 0, err
	}
	limit := r.Timeout
	if limit == 0 {
		limit = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// The kernel kills QEMU when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", microArgs(m.Kernel, initrd, dir, r)...)
	out := struct{ io.Writer }{r.Out} // not a file: QEMU opens the pipe again by name
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	runErr := cmd.Run()
	code, err := os.ReadFile(filepath.Join(dir, "exit"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if exit, err := strconv.Atoi(strings.TrimSpace(string(code))); err == nil {
		return exit, nil
	}
	switch {
	case ctx.Err() != nil:
		runErr = fmt.Errorf("killed within its limit of %s: %w", limit, ctx.Err())
	case runErr == nil:
		runErr = errors.New("the guest turned itself off")
	}
	console, _ := os.ReadFile(filepath.Join(dir, "console"))
	return 0, fmt.Errorf("the micro guest ended without an exit code (%w); its console said last:\n%s",
		runErr, strings.TrimSpace(string(console[max(0, len(console)-3000):])))
}

// microArgs is QEMU's command line. The test's output is QEMU's own, so that
// it is seen as it comes; the exit code and the console are files in dir.
func microArgs(kernel, initrd, dir string, r MicroRun) []string {
	accel, processors := r.Accel, "2"
	if accel == "" {
		accel = "tcg,thread=multi"
	}
	if r.Counted {
		accel, processors = "tcg,thread=single", "1"
	}
	args := []string{
		"-M", "q35,usb=off,sata=off,smbus=off,i8042=off", "-accel", accel, "-cpu", Processor, "-smp", processors, "-m", "1024",
		"-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", kernel, "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 nokaslr mitigations=off no_timer_check",
		"-serial", "file:" + filepath.Join(dir, "console"),
		"-device", "virtio-serial-pci",
		// Not the stdio back end: when standard input ends, it hangs up on the guest.
		"-chardev", "file,id=output,path=/dev/stdout",
		"-device", "virtserialport,chardev=output,name=bootswain.output",
		"-chardev", "file,id=exit,path=" + filepath.Join(dir, "exit"),
		"-device", "virtserialport,chardev=exit,name=bootswain.exit",
	}
	if r.Counted {
		// With sleep=off the clock would jump to the next timer, however far,
		// whenever the guest waits for a disk.
		args = append(args, "-icount", "shift=2,sleep=on", "-rtc", "clock=vm")
	}
	for i, d := range r.Disks {
		cache := "unsafe" // nobody needs a file after a failure of the host
		if strings.HasPrefix(d.File, "nbd") {
			cache = "writeback" // the server wants to know what is flushed
		}
		args = append(args,
			"-drive", fmt.Sprintf("if=none,id=disk%d,format=raw,discard=unmap,cache=%s,file=%s", i, cache, d.File),
			"-device", fmt.Sprintf("nvme,drive=disk%d,serial=%s", i, d.Serial))
	}
	return args
}

// withArgs returns a copy of the initramfs in dir that also holds /args.
func withArgs(initrd string, args []string, dir string) (string, error) {
	in, err := os.Open(initrd)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(dir, "initrd"))
	if err != nil {
		return "", err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return "", err
	}
	b, err := json.Marshal(append([]string{}, args...))
	if err != nil {
		return "", err
	}
	a := newArchive(out)
	a.bytes("args", 0o644, b)
	if err := a.close(); err != nil {
		return "", err
	}
	return out.Name(), out.Close()
}
