package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKillEndsTheWholeGroup(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo words >&2; sleep 1000 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	child := readPID(t, out)
	p.kill()
	awaitEnd(t, child)
	if s := p.stderr.String(); s != "words" {
		t.Errorf("last words %q", s)
	}
}

func TestCrashed(t *testing.T) {
	for script, want := range map[string]bool{"exit 0": false, "exit 1": true, "kill -ABRT $$": true, "kill -KILL $$": false} {
		p, err := launch(exec.Command("sh", "-c", script))
		if err != nil {
			t.Fatal(err)
		}
		if <-p.done; p.crashed() != want {
			t.Errorf("%s: crashed is %v, want %v", script, !want, want)
		}
	}
}

const parentEnv = "BOOTSWAIN_LAB_TEST_PARENT"

// TestParent is the process that TestChildrenDieWithTheirParent kills.
func TestParent(t *testing.T) {
	if os.Getenv(parentEnv) == "" {
		t.Skip("plays a part in another test")
	}
	cmd := exec.Command("sleep", "1000")
	if _, err := launch(cmd); err != nil {
		t.Fatal(err)
	}
	fmt.Println(cmd.Process.Pid)
	select {}
}

func TestChildrenDieWithTheirParent(t *testing.T) {
	parent := exec.Command(os.Args[0], "-test.run=^TestParent$")
	parent.Env = append(os.Environ(), parentEnv+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	child := readPID(t, out)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	awaitEnd(t, child)
}

func readPID(t *testing.T, r io.Reader) int {
	t.Helper()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitEnd waits until the process is gone, or only remembered by a parent
// that does not ask.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d lives on", pid)
}

func TestRelay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		said, _ := io.ReadAll(c)
		fmt.Fprintf(c, "you said %s", said)
	}()
	cmd := exec.Command(relayCommand())
	cmd.Env = append(os.Environ(), relayEnv+"="+path)
	cmd.Stdin = strings.NewReader("hello")
	out, err := cmd.Output()
	if err != nil || string(out) != "you said hello" {
		t.Errorf("%q, %v", out, err)
	}
	l.Close()
	if err := relay(path, strings.NewReader(""), io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nobody listens: %v", err)
	}
}
