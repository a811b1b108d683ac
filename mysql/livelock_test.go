package mysql

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bootswain/internal/situation"

	"golang.org/x/sys/unix"
)

// TestMain lets this program be a server: it locks a file as InnoDB does, and
// lives until its input ends. Otherwise it runs the tests in memory, where there
// is one, for they flush what they write.
func TestMain(m *testing.M) {
	path := os.Getenv("BOOTSWAIN_TEST_LOCK")
	if path == "" {
		if _, err := os.Stat("/dev/shm"); err == nil {
			os.Setenv("TMPDIR", "/dev/shm")
		}
		os.Exit(m.Run())
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	fmt.Println(err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// TestInUse: a living server blocks, a dead one's files do not.
func TestInUse(t *testing.T) {
	m, _ := newMove(t)
	m.Proc = "/proc"
	mine(nil)(t, m.Mount)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self)
	server.Env = append(os.Environ(), "BOOTSWAIN_TEST_LOCK="+filepath.Join(m.target(), "ibdata1"))
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("cannot lock: %s %v", line, err)
	}
	before := tree(t, m.Mount)
	_, err = m.TakeOver(context.Background())
	wantError(t, err, fmt.Sprintf("HELD mariadb: the databases are in use by process %d (mysql.test); untouched.", server.Process.Pid))
	wantWord(t, err, situation.Held)
	if after := tree(t, m.Mount); after != before {
		t.Errorf("volume held %s\nnow holds   %s", before, after)
	}
	in.Close()
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, err := m.TakeOver(context.Background()); err != nil || got != Adopted {
		t.Errorf("after its end: %q, %v, want adopted", got, err)
	}
}

func TestProcess(t *testing.T) {
	proc := t.TempDir()
	write(t, proc, map[string]string{"7/comm": "maria\x1bdbd\n"})
	for pid, want := range map[int32]string{7: "process 7 (maria?dbd)", 8: "process 8", -1: "a process of another container"} {
		if got := process(proc, pid); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
