package nbd

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestQEMU lets QEMU's own client write and verify patterns.
func TestQEMU(t *testing.T) {
	qemuIO, err := exec.LookPath("qemu-io")
	if err != nil {
		t.Skip("qemu-io is not installed")
	}
	dir := t.TempDir()
	d, err := Open(filepath.Join(dir, "disk"), 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	var s Server
	s.Add("vol-1", d)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	out, err := exec.Command(qemuIO, "-f", "raw",
		"-c", "read -P 0 0 64M",
		"-c", "write -P 0xcd 1M 3M", "-c", "flush", "-c", "write -z 2M 64k", "-c", "write -f -P 0x11 32M 4k",
		"-c", "read -P 0xcd 1M 1M", "-c", "read -P 0 2M 64k", "-c", "read -P 0xcd 2112k 1984k",
		"-c", "read -P 0x11 32M 4k", "-c", "read -P 0 40M 1M",
		"nbd:unix:"+l.Addr().String()+":exportname=vol-1").CombinedOutput()
	if err != nil || strings.Contains(string(out), "verification failed") {
		t.Errorf("%v\n%s", err, out)
	}
	if s := d.Stats(); s.Writes != 3 || s.Flushes < 2 {
		t.Errorf("carried out %d writes and %d flushes", s.Writes, s.Flushes)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
