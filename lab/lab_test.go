package lab

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bootswain/lab/image"
	"bootswain/lab/nbd"
)

// open returns a laboratory that asks for no probe guest.
func open(t *testing.T, seed uint64) *Lab {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	known, err := accelFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(known, []byte(TCG), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "lab") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(t.Context(), Options{Dir: dir, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return l
}

func volume(t *testing.T, l *Lab) *Volume {
	t.Helper()
	v, err := l.Volume(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestIDs(t *testing.T) {
	one, other := volume(t, open(t, 1)), volume(t, open(t, 2))
	again := open(t, 1)
	if volume(t, again).ID != one.ID || one.ID == other.ID || volume(t, again).ID == one.ID {
		t.Error("ids do not follow seed and count")
	}
	if !regexp.MustCompile(`^vol-0[0-9a-f]{16}$`).MatchString(one.ID) {
		t.Errorf("%s is no volume id", one.ID)
	}
	if s := one.serial(); s != strings.Replace(one.ID, "-", "", 1) || len(s) > 20 {
		t.Errorf("%s is no NVMe serial", s)
	}
}

func TestVolumesHaveOneOwner(t *testing.T) {
	l := open(t, 1)
	a, b, v := &Machine{ID: "i-a", lab: l}, &Machine{ID: "i-b", lab: l}, volume(t, l)
	if err := a.Attach(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if err := b.Attach(t.Context(), v); err == nil || err.Error() != "cannot attach "+v.ID+": it is attached to i-a" {
		t.Errorf("attached twice: %v", err)
	}
	if err := b.Pull(t.Context(), v); err == nil || err.Error() != v.ID+" is not attached to i-b" {
		t.Errorf("pulled from elsewhere: %v", err)
	}
	if err := a.Pull(t.Context(), v); err != nil || len(a.Volumes()) != 0 {
		t.Errorf("%v, %v", err, a.Volumes())
	}
	if err := b.Attach(t.Context(), v); err != nil {
		t.Error(err)
	}
}

func TestPortsTakeTurns(t *testing.T) {
	l := open(t, 1)
	m, v := &Machine{lab: l}, volume(t, l)
	for turn := range 2 * ports {
		port, err := m.claim(v)
		if err != nil || port != turn%ports {
			t.Fatalf("turn %d: port %d, %v", turn, port, err)
		}
		m.release(v)
	}
	for range ports {
		if _, err := m.claim(volume(t, l)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.claim(v); err == nil || !strings.HasSuffix(err.Error(), "has 12 volumes already") {
		t.Errorf("a volume too many: %v", err)
	}
}

func TestArguments(t *testing.T) {
	l := open(t, 1)
	m := &Machine{lab: l, root: "/tmp/a,b", rootID: "vol-0abc", forwards: map[int]int{22: 2222},
		options: MachineOptions{CPUs: 2, Memory: 1 << 30, Image: image.Image{Kernel: "/k", Append: "root=x"}, Append: "quiet"}}
	v := volume(t, l)
	if err := m.Attach(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	line := strings.Join(m.arguments(), " ")
	for _, want := range []string{
		"-m 1024M", "-accel tcg,thread=multi -cpu max,-svm,-vmx,-la57 -smp 2", "-append root=x mitigations=off nokaslr init_on_alloc=0 oops=panic panic=1 console=ttyS0 quiet ",
		"file.filename=/tmp/a,,b", "serial=vol0abc", "restrict=on", "hostfwd=tcp:127.0.0.1:2222-169.254.0.15:22",
		"guestfwd=tcp:169.254.169.254:80-cmd:/proc/", "nvme,id=" + v.ID + ",drive=" + v.ID + ",serial=" + v.serial() + ",bus=port0",
	} {
		if !strings.Contains(line+" ", want) {
			t.Errorf("%q is missing in %s", want, line)
		}
	}
	m.options.CountedTime = true
	if !slices.Contains(m.arguments(), "shift=0,sleep=off") {
		t.Error("time is not counted in instructions")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	known, err := accelFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(known, []byte(KVM), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	volume(t, l).SetFault(nbd.Fault{Hang: true})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(os.TempDir() + "/*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestFreePorts(t *testing.T) {
	forwards, err := freePorts([]int{22, 80, 443})
	if err != nil || len(forwards) != 3 || forwards[22] == forwards[80] || forwards[80] == forwards[443] {
		t.Errorf("%v, %v", forwards, err)
	}
}

func TestConsole(t *testing.T) {
	c, err := openConsole(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		for _, part := range []string{"Linux ver", "sion 6\nlog", "in: "} {
			if _, err := w.Write([]byte(part)); err != nil {
				t.Error(err)
			}
		}
	}()
	go c.follow(r)
	for _, pattern := range []string{`Linux version \d`, "login: "} {
		if got, err := c.wait(t.Context(), regexp.MustCompile(pattern)); err != nil || !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%q, %v", got, err)
		}
	}
	w.Close()
}
