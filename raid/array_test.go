package raid_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootswain/internal/run"
	"bootswain/raid"
)

// mdadm stands for the program: it notes what it was asked and answers.
type mdadm struct {
	asked  []run.Cmd
	answer func(run.Cmd) error
}

func (m *mdadm) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	m.asked = append(m.asked, c)
	if m.answer != nil {
		return nil, m.answer(c)
	}
	return nil, nil
}

func (m *mdadm) last() run.Cmd { return m.asked[len(m.asked)-1] }

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one with %q", err, want)
	}
}

func TestCreate(t *testing.T) {
	o := raid.CreateOptions{Path: "/dev/md/data", Name: "data", UUID: rfcUUID, Members: []string{"/dev/nvme2n1", "/dev/nvme1n1"}}
	m := &mdadm{}
	if err := raid.Create(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	want := "mdadm --create /dev/md/data --level=0 --metadata=1.2 --homehost=bootswain --name=data --uuid=" + rfcUUID +
		" --chunk=256K --raid-devices=2 /dev/nvme2n1 /dev/nvme1n1"
	if got := m.last(); got.String() != want || string(got.Stdin) != "n\n" {
		t.Errorf("ran %s < %q\nwant %s < no", got, got.Stdin, want)
	}
	o.Reclaim, o.ChunkBytes = true, 64<<10
	if err := raid.Create(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	if got := m.last().Args; !slices.Contains(got, "--run") || !slices.Contains(got, "--chunk=64K") || slices.Contains(got, "--force") {
		t.Errorf("ran mdadm %s", got)
	}
}

func TestCreateRefuses(t *testing.T) {
	two := []string{"/dev/nvme1n1", "/dev/nvme2n1"}
	for name, tt := range map[string]struct {
		o    raid.CreateOptions
		want string
	}{
		"one member":   {raid.CreateOptions{Name: "data", UUID: uuid, Members: two[:1]}, "cannot create array data: 1 member"},
		"no name":      {raid.CreateOptions{UUID: uuid, Members: two}, "its name must have 1 to 22 bytes"},
		"a long name":  {raid.CreateOptions{Name: strings.Repeat("a", 23), UUID: uuid, Members: two}, "its name must have 1 to 22 bytes"},
		"an odd chunk": {raid.CreateOptions{Name: "data", UUID: uuid, ChunkBytes: 5000, Members: two}, "chunk of 5000 bytes"},
		"no UUID":      {raid.CreateOptions{Name: "data", Members: two}, `"" is not a UUID`},
	} {
		t.Run(name, func(t *testing.T) {
			m := &mdadm{}
			wantError(t, raid.Create(t.Context(), m, tt.o), tt.want)
			if len(m.asked) != 0 {
				t.Errorf("and yet it ran %s", m.last())
			}
		})
	}
	m := &mdadm{answer: func(run.Cmd) error {
		return &run.ExitError{Cmd: "mdadm", Code: 1, Stderr: "Continue creating array [y/N]? mdadm: create aborted."}
	}}
	wantError(t, raid.Create(t.Context(), m, raid.CreateOptions{Name: "data", UUID: uuid, Members: two}), "create aborted")
}

func TestAssemble(t *testing.T) {
	o := raid.AssembleOptions{Path: "/dev/md/data", UUID: rfcUUID, Members: []string{"/dev/nvme1n1", "/dev/nvme2n1"}}
	m := &mdadm{}
	if err := raid.Assemble(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	want := "mdadm --assemble /dev/md/data --homehost=bootswain --uuid=" + rfcUUID + " /dev/nvme1n1 /dev/nvme2n1"
	if m.last().String() != want {
		t.Errorf("ran %s\nwant %s", m.last(), want)
	}
	for name, tt := range map[string]struct {
		code   int
		stderr string
		busy   bool
	}{
		"all held":    {2, "mdadm: /dev/nvme1n1 is busy - skipping\nmdadm: /dev/nvme2n1 is busy - skipping", true},
		"one held":    {1, "mdadm: /dev/nvme1n1 is busy - skipping\nmdadm: /dev/md/data assembled from 1 drive - not enough to start the array.", true},
		"one missing": {1, "mdadm: /dev/md/data assembled from 1 drive - not enough to start the array.", false},
		"another set": {2, "mdadm: /dev/nvme1n1 has wrong uuid.", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := &mdadm{answer: func(run.Cmd) error { return &run.ExitError{Cmd: "mdadm", Code: tt.code, Stderr: tt.stderr} }}
			err := raid.Assemble(t.Context(), m, o)
			wantError(t, err, tt.stderr)
			if errors.Is(err, raid.ErrBusy) != tt.busy || run.ExitCode(err) != tt.code {
				t.Errorf("busy is %v, exit code %d: %v", !tt.busy, run.ExitCode(err), err)
			}
		})
	}
}

// tree writes a sysfs with the given files under block/; a name that ends in a
// slash is a directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	sys := t.TempDir()
	for path, content := range files {
		full := filepath.Join(sys, "block", path)
		dir := filepath.Dir(full)
		if strings.HasSuffix(path, "/") {
			dir = full
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir != full {
			if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return sys
}

func TestStop(t *testing.T) {
	m := &mdadm{}
	if err := raid.Stop(t.Context(), m, tree(t, nil), "md127"); err != nil || len(m.asked) != 0 {
		t.Errorf("Stop() of nothing = %v, ran %v", err, m.asked)
	}
	sys := tree(t, map[string]string{"md127/md/array_state": "clean\n"})
	if err := raid.Stop(t.Context(), m, sys, "md127"); err != nil || m.last().String() != "mdadm --stop /dev/md127" {
		t.Errorf("Stop() = %v, ran %v", err, m.asked)
	}
	busy := &run.ExitError{Cmd: "mdadm --stop /dev/md127", Code: 1, Stderr: "mdadm: failed to stop array /dev/md127: Device or resource busy"}
	m.answer = func(run.Cmd) error { return busy }
	wantError(t, raid.Stop(t.Context(), m, sys, "md127"), "cannot stop array md127: mdadm --stop /dev/md127: exit status 1: mdadm: failed")
	m.answer = func(run.Cmd) error { os.RemoveAll(filepath.Join(sys, "block", "md127")); return busy }
	if err := raid.Stop(t.Context(), m, sys, "md127"); err != nil {
		t.Errorf("Stop() of what another has stopped = %v", err)
	}
}

func TestSysfs(t *testing.T) {
	sys := tree(t, map[string]string{
		"md127/md/array_state": "broken\n", "md127/slaves/nvme1n1": "", "md127/slaves/nvme2n1": "",
		"nvme1n1/holders/md127": "", "nvme3n1/holders/": "",
	})
	if s, err := raid.ArrayState(sys, "md127"); s != raid.StateBroken || err != nil {
		t.Errorf("ArrayState() = %q, %v", s, err)
	}
	_, err := raid.ArrayState(sys, "md1")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ArrayState() of no array = %v", err)
	}
	wantError(t, err, "cannot read the state of array md1")
	if m, err := raid.Members(sys, "md127"); !slices.Equal(m, []string{"nvme1n1", "nvme2n1"}) || err != nil {
		t.Errorf("Members() = %v, %v", m, err)
	}
	if h, err := raid.Holders(sys, "nvme1n1"); !slices.Equal(h, []string{"md127"}) || err != nil {
		t.Errorf("Holders() = %v, %v", h, err)
	}
	if h, err := raid.Holders(sys, "nvme3n1"); len(h) != 0 || err != nil {
		t.Errorf("Holders() of a free device = %v, %v", h, err)
	}
	_, err = raid.Holders(sys, "nvme9n1")
	wantError(t, err, "cannot read the holders of nvme9n1")
}

func TestStale(t *testing.T) {
	sys := tree(t, map[string]string{
		"md123/md/array_state": "inactive\n", "md123/slaves/nvme1n1": "", // ours, half put together
		"md124/md/array_state": "inactive\n", "md124/slaves/nvme1n1": "", "md124/slaves/sda": "", // somebody else's too
		"md125/md/array_state": "clear\n", "md125/slaves/": "", // nobody's
		"md126/md/array_state": "clean\n", "md126/slaves/nvme2n1": "", // runs
		"nvme1n1/holders/": "",
	})
	got, err := raid.Stale(sys, []string{"nvme1n1", "nvme2n1"})
	if want := []string{"md123", "md125"}; !slices.Equal(got, want) || err != nil {
		t.Errorf("Stale() = %v, %v; want %v", got, err, want)
	}
}
