package agent

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Two locks on one path may as well be two processes: flock knows open files.
func TestLockSaysWhoHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locks", "data")
	daemon := &lock{path: path, who: "the bootswain daemon"}
	person := &lock{path: path, who: "bootswain"}

	release, err := daemon.take(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	var told string
	if _, err := person.take(ctx, func(holder string) { told = holder }); err == nil || !strings.Contains(err.Error(), "the bootswain daemon (process ") {
		t.Fatalf("take while the daemon holds it: %v, want its name", err)
	}
	if !strings.HasPrefix(told, "the bootswain daemon") {
		t.Errorf("was told that %q holds it", told)
	}

	release()
	free, err := person.take(t.Context(), func(holder string) { t.Errorf("told of %s though it is free", holder) })
	if err != nil {
		t.Fatal(err)
	}
	free()
}
