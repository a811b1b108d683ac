package agent

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// forget gives back the memory that only the start needed: free heap, and the
// pages of the program's own file. The beginnings of its packages touch most of
// them, and a process that does one thing needs few; those come back from the
// page cache when they are used.
func forget() error {
	debug.FreeOSMemory()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	for _, m := range untouched(f, program) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

// span is a range of addresses.
type span struct{ from, to uintptr }

// untouched are the mappings of a file of which nothing was ever written to, by
// smaps of proc(5): their pages are as the file has them.
func untouched(smaps io.Reader, file string) (spans []span) {
	var current span
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		var s span
		var mode string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s", &s.from, &s.to, &mode); n == 3 {
			current = span{}
			if mode[0] == 'r' && mode[1] == '-' && strings.HasSuffix(lines.Text(), " "+file) {
				current = s
			}
		} else if name, value, _ := strings.Cut(lines.Text(), ":"); name == "Anonymous" && strings.TrimSpace(value) == "0 kB" && current != (span{}) {
			spans = append(spans, current)
		}
	}
	return spans
}
