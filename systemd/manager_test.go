package systemd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var data = MountUnit{What: "/dev/mapper/bootswain-data", Where: "/srv/data", Type: "xfs"}

func wantState(t *testing.T, h *fakeHost, want string) {
	t.Helper()
	if got := h.state(); got != want {
		t.Errorf("state is %s\n    want %s", got, want)
	}
}

func TestMountAndUnmount(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	for range 2 { // the second time changes nothing
		if err := m.Mount(ctx, data); err != nil {
			t.Fatal(err)
		}
		wantState(t, h, "up [srv-data.mount] files [srv-data.mount] reloads 0")
	}
	for range 2 {
		if err := m.Unmount(ctx, "/srv/data/"); err != nil {
			t.Fatal(err)
		}
		wantState(t, h, "up [] files [] reloads 0")
	}
}

// TestUnmountWith: what is bound to a mount ends with it, which is systemd's work;
// the units of both go.
func TestUnmountWith(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	inside := data
	inside.Where, inside.BindsTo = "/srv/data/#more", []string{data.Name()}
	for _, u := range []MountUnit{data, inside} {
		if err := m.Mount(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	delete(h.active, inside.Name())
	for range 2 {
		if err := m.UnmountWith(ctx, data.Where, inside.Where, "/srv/never"); err != nil {
			t.Fatal(err)
		}
		wantState(t, h, "up [] files [] reloads 0")
	}
}

func TestMountReloadsOnlyAnOldUnit(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	if err := m.Mount(ctx, data); err != nil {
		t.Fatal(err)
	}
	changed := data
	changed.Options = []string{"noatime"}
	if err := m.Mount(ctx, changed); err != nil {
		t.Fatal(err)
	}
	wantState(t, h, "up [srv-data.mount] files [srv-data.mount] reloads 1")
	if h.loaded["srv-data.mount"] != changed.String() {
		t.Error("systemd holds the old unit")
	}
}

func TestJobErrors(t *testing.T) {
	ctx := context.Background()
	t.Run("failed", func(t *testing.T) {
		m, h := newFake(t)
		h.results["srv-data.mount"] = "failed"
		err := m.Mount(ctx, data)
		wantError(t, err, "cannot start srv-data.mount: failed (exit-code); see: journalctl -b -u srv-data.mount")
		if e, ok := errors.AsType[*JobError](err); !ok || e.State.Active != "failed" {
			t.Errorf("no JobError with the state: %#v", err)
		}
	})
	t.Run("shutting down", func(t *testing.T) {
		m, h := newFake(t)
		h.shutdown = true
		if err := m.Mount(ctx, data); !errors.Is(err, ErrShuttingDown) {
			t.Errorf("error = %v, want ErrShuttingDown", err)
		}
	})
	t.Run("no unit", func(t *testing.T) {
		m, _ := newFake(t)
		wantError(t, m.Start(ctx, "mariadb.service"), "cannot start mariadb.service: there is no such unit")
		wantError(t, m.Enqueue(ctx, "mariadb.service"), "there is no such unit")
		if err := errors.Join(m.Stop(ctx, "mariadb.service"), m.Kill(ctx, "mariadb.service"), m.ResetFailed(ctx, "mariadb.service")); err != nil {
			t.Errorf("what is not there cannot be stopped: %v", err)
		}
	})
	t.Run("takes too long", func(t *testing.T) {
		m, h := newFake(t)
		h.stuck = true
		h.install(t, "mariadb.service")
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		err := m.Stop(ctx, "mariadb.service")
		wantError(t, err, "cannot wait any longer for systemd to stop mariadb.service")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is no deadline", err)
		}
	})
	t.Run("a line break in a path", func(t *testing.T) {
		m, h := newFake(t)
		bad := data
		bad.What = "/dev/x\nExecStart=y"
		wantError(t, m.Mount(ctx, bad), `cannot mount /srv/data: "/dev/x\nExecStart=y" cannot stand in a unit file`)
		wantState(t, h, "up [] files [] reloads 0")
	})
	t.Run("no systemd", func(t *testing.T) {
		m := &Manager{dir: t.TempDir(), connect: func(context.Context) (bus, error) { return nil, errors.New("cannot reach systemd: gone") }}
		wantError(t, m.Start(ctx, "x.service"), "cannot reach systemd")
	})
}

func TestState(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	h.install(t, "mariadb.service")
	if err := m.Start(ctx, "mariadb.service"); err != nil {
		t.Fatal(err)
	}
	got, err := m.State(ctx, "mariadb.service")
	want := State{Name: "mariadb.service", Load: "loaded", Active: "active", Sub: "running", Result: "success",
		MainPID: 42, Since: time.UnixMicro(1_700_000_000_000_000)}
	if err != nil || !reflect.DeepEqual(got, want) || !got.Exists() || !got.Running() {
		t.Errorf("State = %+v, %v\n want %+v", got, err, want)
	}
	if s, err := m.State(ctx, "mysqld.service"); err != nil || s.Exists() || s.Running() || !s.Since.IsZero() {
		t.Errorf("a unit that does not exist: %+v, %v", s, err)
	}
}

func TestKillSparesNothing(t *testing.T) {
	m, h := newFake(t)
	h.install(t, "mariadb.service")
	if err := m.Kill(context.Background(), "mariadb.service"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"kill mariadb.service all 9"}; !slices.Equal(h.log, want) {
		t.Errorf("did %q, want %q", h.log, want)
	}
}

func TestStorageTarget(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	h.install(t, StorageTarget)
	if err := m.StorageReady(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(m.flag); err != nil || !h.active[StorageTarget] {
		t.Errorf("target up: %v, flag: %v", h.active[StorageTarget], err)
	}
	for range 2 {
		if err := m.StorageLost(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(m.flag); err == nil || h.active[StorageTarget] {
		t.Error("the target is still ready")
	}
}

func TestListen(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	const socket, service = "bootswain-health.socket", "bootswain-health.service"
	h.install(t, socket)
	h.install(t, service)
	if err := m.Start(ctx, socket); err != nil {
		t.Fatal(err)
	}
	const head, address, credential = "# Written by bootswain; gone with the next boot.\n", "[Socket]\nListenStream=\nListenStream=0.0.0.0:8273\n",
		"[Service]\nLoadCredential=web.yml:/run/x/web.yml\n"
	move := []string{"stop " + socket, "stop " + service, "start " + socket}
	for _, tt := range []struct {
		name             string
		l                Listening
		did              []string
		listens, carries string // the drop-ins
	}{
		{"as the units have it", Listening{}, nil, "", ""},
		{"another address", Listening{Address: "0.0.0.0:8273"}, move, head + address, ""},
		{"the same", Listening{Address: "0.0.0.0:8273"}, nil, head + address, ""},
		{"a credential", Listening{Address: "0.0.0.0:8273", Credential: "/run/x/web.yml"}, move, head + address, head + credential},
		{"the same again", Listening{Address: "0.0.0.0:8273", Credential: "/run/x/web.yml"}, nil, head + address, head + credential},
		{"neither", Listening{}, move, "", ""},
	} {
		h.log = nil
		tt.l.Socket, tt.l.Service = socket, service
		if err := m.Listen(ctx, tt.l); err != nil || !slices.Equal(h.log, tt.did) {
			t.Errorf("%s: did %q, %v; want %q", tt.name, h.log, err, tt.did)
		}
		for file, want := range map[string]string{socket + ".d/50-listen.conf": tt.listens, service + ".d/50-web.conf": tt.carries} {
			if text, err := os.ReadFile(filepath.Join(h.dir, file)); string(text) != want || (err != nil) != (want == "") {
				t.Errorf("%s: %s is %q, %v; want %q", tt.name, file, text, err, want)
			}
		}
	}
}

// TestListenUnread: while systemd has not read that a service needs a credential,
// its socket stays closed; the next time opens it.
func TestListenUnread(t *testing.T) {
	m, h := newFake(t)
	h.install(t, "a.socket")
	h.install(t, "a.service")
	if err := m.Start(t.Context(), "a.socket"); err != nil {
		t.Fatal(err)
	}
	if !h.load("a.service") { // as systemd does, of a socket that listens
		t.Fatal("no service")
	}
	h.unread = errors.New("busy")
	l := Listening{Socket: "a.socket", Service: "a.service", Credential: "/run/x/web.yml"}
	wantError(t, m.Listen(t.Context(), l), "cannot make systemd read its units anew: busy")
	if h.active["a.socket"] {
		t.Error("the socket is open")
	}
	h.unread = nil
	if err := m.Listen(t.Context(), l); err != nil || !h.active["a.socket"] {
		t.Errorf("open: %v, %v", h.active["a.socket"], err)
	}
}

func TestFailed(t *testing.T) {
	m, h := newFake(t)
	h.results = map[string]string{"b.service": "failed", "c.service": "done", "a.mount": "failed"}
	if got, err := m.Failed(t.Context()); err != nil || strings.Join(got, " ") != "a.mount b.service" {
		t.Errorf("failed: %q, %v", got, err)
	}
}
