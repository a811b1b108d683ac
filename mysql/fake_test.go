package mysql

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/internal/situation"
	"bootswain/systemd"
)

// fakeUnits is a machine's units by name; an alias is an entry whose State has
// another name.
type fakeUnits struct {
	units   map[string]systemd.State
	mounted map[string]systemd.MountUnit
	log     []string
	fail    error
	once    func(systemd.OnceUnit) error
	stopped chan struct{} // if not nil, Stop waits for it; Kill closes it
}

func running(unit string) systemd.State {
	return systemd.State{Name: unit, Load: "loaded", Active: "active"}
}

func stopped(unit string) systemd.State {
	return systemd.State{Name: unit, Load: "loaded", Active: "inactive"}
}

func (f *fakeUnits) State(_ context.Context, unit string) (systemd.State, error) {
	if s, ok := f.units[unit]; ok {
		return s, f.fail
	}
	return systemd.State{Name: unit, Load: "not-found", Active: "inactive"}, f.fail
}

func (f *fakeUnits) Stop(ctx context.Context, unit string) error {
	if f.stopped != nil {
		select {
		case <-f.stopped:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	f.log = append(f.log, "stop "+unit)
	if s, ok := f.units[unit]; ok {
		f.units[unit] = stopped(s.Name)
	}
	return f.fail
}

func (f *fakeUnits) RunOnce(_ context.Context, o systemd.OnceUnit) error {
	f.log = append(f.log, "run "+o.Name)
	return f.once(o)
}

func (f *fakeUnits) Kill(context.Context, string) error {
	if f.fail == nil && f.stopped != nil {
		close(f.stopped)
	}
	return f.fail
}

func (f *fakeUnits) Mount(_ context.Context, u systemd.MountUnit) error {
	f.log = append(f.log, "mount "+u.Where)
	f.mounted[u.Where] = u
	return f.fail
}

func (f *fakeUnits) UnmountWith(_ context.Context, where string, bound ...string) error {
	for _, w := range append([]string{where}, bound...) {
		f.log = append(f.log, "unmount "+w)
		delete(f.mounted, w)
	}
	return f.fail
}

// write makes files, with their folders; a name that ends in a slash is a
// folder.
func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == path {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error = %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error = %v, want %q", err, want)
	}
}

func wantWord(t *testing.T, err error, want situation.Word) {
	t.Helper()
	if s := situation.Of(err); s == nil || s.Word != want || s.Next == "" {
		t.Errorf("situation = %#v, want %s with a next step", s, want)
	}
}

var errTest = errors.New("out of order")
