package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Tool returns the path of a program of Debian's package, "prometheus" or
// "promtool". scripts/setup unpacks the package; installed, it would start a
// service.
func Tool(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "bootswain", "tools", "prometheus", "usr", "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("cannot find %s (make setup unpacks it): %w", name, err)
	}
	return path, nil
}

// Lint has promtool read what a machine answers at /metrics. Its error holds
// every fault.
func Lint(ctx context.Context, metrics []byte) error {
	return promtool(ctx, metrics, "check", "metrics")
}

// CheckRules has promtool run a file of tests of rules.
func CheckRules(ctx context.Context, path string) error {
	return promtool(ctx, nil, "test", "rules", path)
}

func promtool(ctx context.Context, stdin []byte, args ...string) error {
	tool, err := Tool("promtool")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("promtool %s: %w\n%s", args, err, out)
	}
	return nil
}
