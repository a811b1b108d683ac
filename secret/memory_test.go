package secret

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bootswain/internal/run"
)

// TestLockMemory runs in a child: what it sets cannot be taken back.
func TestLockMemory(t *testing.T) {
	if os.Getenv("LOCK_MEMORY") == "" {
		t.Setenv("LOCK_MEMORY", "1")
		if out, err := (run.Host{}).Run(t.Context(), run.Cmd{Name: os.Args[0], Args: []string{"-test.run=^TestLockMemory$"}}); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := LockMemory(); err != nil && !strings.Contains(err.Error(), "raise RLIMIT_MEMLOCK") {
		t.Fatal(err)
	}
	if d, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); d != 0 || err != nil {
		t.Errorf("dumpable is %d, %v", d, err)
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil || l.Cur != 0 || l.Max != 0 {
		t.Errorf("core limit is %+v, %v", l, err)
	}
}
