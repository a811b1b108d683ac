package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Entries used within idle are kept, and of the rest the newest few: a
// machine that was put aside for a day still finds its backing files.
const (
	idle = 24 * time.Hour
	keep = 3
)

// cacheDir is where images are kept: bootswain/lab in the user's cache.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot tell where to keep images: %w", err)
	}
	return filepath.Join(dir, "bootswain", "lab"), nil
}

// cached returns the directory of the entry kind-key. If there is none, build
// fills a directory of another name, which becomes the entry when build
// returns nil. Builders of one kind take turns, across processes.
func cached(ctx context.Context, log io.Writer, kind, key string, build func(dir string) error) (string, error) {
	root, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", fmt.Errorf("cannot keep images: %w", err)
	}
	unlock, err := lock(ctx, log, filepath.Join(root, kind+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	dir := filepath.Join(root, kind+"-"+key)
	if _, err := os.Stat(dir); err == nil {
		now := time.Now()
		return dir, os.Chtimes(dir, now, now)
	}
	building := filepath.Join(root, kind+".building")
	if err := os.RemoveAll(building); err != nil {
		return "", fmt.Errorf("cannot clear away an interrupted build: %w", err)
	}
	if err := os.Mkdir(building, 0o700); err != nil {
		return "", err
	}
	start := time.Now()
	if err := build(building); err != nil {
		_ = os.RemoveAll(building) // the next builder clears it, too
		return "", fmt.Errorf("cannot build the %s image: %w", kind, err)
	}
	if err := os.Rename(building, dir); err != nil {
		return "", err
	}
	fmt.Fprintf(log, "image: %s ready after %.1f s in %s\n", kind, time.Since(start).Seconds(), dir)
	return dir, prune(root, kind, time.Now())
}

// lock takes the lock of path, saying so when it must wait.
func lock(ctx context.Context, log io.Writer, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	unlock = func() { _ = f.Close() }
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return unlock, nil
	}
	fmt.Fprintf(log, "image: waiting for another builder (%s)\n", path)
	got := make(chan error, 1)
	go func() { got <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-got:
		return unlock, err
	case <-ctx.Done():
		go func() { _, _ = <-got, f.Close() }()
		return nil, ctx.Err()
	}
}

// prune removes entries of kind that nobody used for idle, but keeps the
// newest few.
func prune(root, kind string, now time.Time) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	type aged struct {
		name string
		used time.Time
	}
	var found []aged
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !strings.HasPrefix(e.Name(), kind+"-") {
			continue
		}
		found = append(found, aged{e.Name(), info.ModTime()})
	}
	slices.SortFunc(found, func(a, b aged) int { return b.used.Compare(a.used) })
	for i, e := range found {
		if i < keep || now.Sub(e.used) < idle {
			continue
		}
		if err := os.RemoveAll(filepath.Join(root, e.name)); err != nil {
			return fmt.Errorf("cannot remove an old image: %w", err)
		}
	}
	return nil
}

// hash names what was made of parts; no two lists of parts run together.
func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// fileSum is the SHA-256 of a file's content.
func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("cannot read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
