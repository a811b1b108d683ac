package image

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCachedBuildsOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	built := 0
	build := func(dir string) error {
		built++
		return os.WriteFile(filepath.Join(dir, "content"), []byte("x"), 0o600)
	}
	for range 2 {
		dir, err := cached(t.Context(), io.Discard, "base", "k1", build)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "content")); err != nil {
			t.Error(err)
		}
	}
	if built != 1 {
		t.Errorf("built %d times, want once", built)
	}
}

func TestCachedLeavesNoHalfEntry(t *testing.T) {
	root := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", root)
	broken := errors.New("no space")
	_, err := cached(t.Context(), io.Discard, "base", "k1", func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "half"), []byte("x"), 0o600); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want the builder's error", err)
	}
	// What a builder that was killed left behind is not found by the next.
	killed := filepath.Join(root, "bootswain", "lab", "base.building")
	if err := os.MkdirAll(filepath.Join(killed, "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := cached(t.Context(), io.Discard, "base", "k1", func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("the entry holds %v of an interrupted build", left)
	}
}

func TestCachedTakesTurns(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var inside, most int
	var mu sync.Mutex
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		inside += n
		most = max(most, inside)
	}
	var wg sync.WaitGroup
	for _, key := range []string{"k1", "k2", "k3"} {
		wg.Go(func() {
			_, err := cached(t.Context(), io.Discard, "base", key, func(string) error {
				count(1)
				defer count(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d builders at once, want 1", most)
	}
}

func TestLockSaysThatItWaitsAndGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), io.Discard, path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log strings.Builder
	if _, err := lock(ctx, &log, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if !strings.Contains(log.String(), "waiting for another builder") {
		t.Errorf("said %q", log.String())
	}
}

func TestPruneKeepsWhatIsUsedAndTheNewest(t *testing.T) {
	root := t.TempDir()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, age := range map[string]time.Duration{
		"baked-now": 0, "baked-hour": time.Hour, "baked-day": 23 * time.Hour, "baked-late": 20 * time.Hour,
		"baked-old": 48 * time.Hour, "base-old": 48 * time.Hour,
	} {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(root, "baked", now); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(root, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if got, want := strings.Join(left, " "), "baked-day baked-hour baked-late baked-now base-old"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
}
