package systemd

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestRepeat(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	const timer = "bootswain-users.timer"
	h.install(t, timer)
	for _, step := range []struct {
		every time.Duration
		want  []string
	}{
		{5 * time.Minute, []string{"start " + timer}},
		{5 * time.Minute, nil},
		{time.Minute, []string{"stop " + timer, "start " + timer}},
	} {
		h.log = nil
		if err := m.Repeat(ctx, timer, step.every); err != nil || !slices.Equal(h.log, step.want) {
			t.Errorf("every %s: did %q, %v, want %q", step.every, h.log, err, step.want)
		}
	}
	text, err := os.ReadFile(filepath.Join(h.dir, timer+".d/50-every.conf"))
	if want := "# Written by bootswain; gone with the next boot.\n[Timer]\nOnActiveSec=\nOnActiveSec=60\nOnUnitInactiveSec=60\n"; err != nil || string(text) != want {
		t.Errorf("drop-in is %q, want %q", text, want)
	}
}

func TestReload(t *testing.T) {
	m, h := newFake(t)
	ctx := context.Background()
	h.install(t, "ssh.service")
	for _, unit := range []string{"ssh.service", "sshd.service"} {
		if err := m.Reload(ctx, unit); err != nil {
			t.Errorf("%s: %v", unit, err)
		}
	}
	if want := []string{"reload ssh.service", "reload sshd.service"}; !slices.Equal(h.log, want) {
		t.Errorf("did %q", h.log)
	}
}
