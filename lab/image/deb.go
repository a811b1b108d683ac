package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Deb builds bootswain's package from the checkout that the working directory
// is in, and returns its path. An empty version is one made from the last
// commit. The same tree and version give the same bytes.
func Deb(ctx context.Context, log io.Writer, version string) (string, error) {
	top, err := checkout(ctx)
	if err != nil {
		return "", err
	}
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	fmt.Fprintln(log, "image: building the package")
	cmd := exec.CommandContext(ctx, filepath.Join(top, "packaging", "deb", "build"), filepath.Join(dir, "deb"))
	cmd.Env = append(cmd.Environ(), "VERSION="+version)
	cmd.Stderr = log
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot build the package: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// checkout is the top of the source tree.
func checkout(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("cannot ask go for the source tree: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("this is not inside bootswain's source tree; go there first")
	}
	return filepath.Dir(mod), nil
}
