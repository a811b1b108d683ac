package filesystem

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// User is a process that keeps a file system from being unmounted.
type User struct {
	PID     int
	Name    string // as the kernel has it; never its arguments, which may hold secrets
	Service bool   // systemd started it as one of the system's services
}

// String returns the process as people read it: "vim (1234)".
func (u User) String() string { return fmt.Sprintf("%s (%d)", u.Name, u.PID) }

// Users returns the processes that have something of a file system open: a file,
// their working or root directory, their program, or a mapping. number is that of
// its device, "253:0". A process that ends in the meantime is left out; what the
// kernel itself holds, such as a loop device, is not seen.
func Users(proc, number string) ([]User, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	var users []User
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		dir := filepath.Join(proc, e.Name())
		if err != nil || !opens(dir, number) && !maps(dir, number) {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		group, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		users = append(users, User{pid, printable(name), strings.Contains(string(group), ":/system.slice/")})
	}
	slices.SortFunc(users, func(a, b User) int { return a.PID - b.PID })
	return users, nil
}

// opens tells whether one of a process's links leads to the file system.
func opens(dir, number string) bool {
	links, _ := filepath.Glob(filepath.Join(dir, "fd", "*"))
	for _, l := range append(links, filepath.Join(dir, "cwd"), filepath.Join(dir, "root"), filepath.Join(dir, "exe")) {
		var st unix.Stat_t
		if unix.Stat(l, &st) == nil && fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)) == number {
			return true
		}
	}
	return false
}

// maps tells whether a process has mapped a file of the file system. Lines of
// proc_pid_maps(5) give the device in the fourth column, in hexadecimal.
func maps(dir, number string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "maps"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		var major, minor uint32
		if n, _ := fmt.Sscanf(fields[3], "%x:%x", &major, &minor); n == 2 && fmt.Sprintf("%d:%d", major, minor) == number {
			return true
		}
	}
	return false
}

// printable is a process's name without what a terminal would take for more.
func printable(name []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.TrimSpace(string(name)))
}
