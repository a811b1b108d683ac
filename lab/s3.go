package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"bootswain/lab/s3"
)

// s3Version is the version of the S3 server, https://github.com/versity/versitygw.
const s3Version = "v1.8.0"

// S3 starts S3 for the laboratory's machines, with these buckets. Its server is
// built by the first one that needs it, in about two minutes, and kept.
func (l *Lab) S3(ctx context.Context, buckets ...string) (*s3.Server, error) {
	server, err := s3Tool(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("cannot start S3: %w", err)
	}
	dir := l.path("s3")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	socket := l.path("s3.sock")
	s := s3.New(region, socket, l.EC2.Who)
	cmd := exec.Command(server, "--port", socket, "--region", region, "--quiet", "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.Account.AccessKeyID, "ROOT_SECRET_KEY="+s.Account.SecretAccessKey)
	p, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.s3, l.s3Process = s, p
	l.mu.Unlock()
	for _, b := range buckets {
		if err := s.MakeBucket(ctx, b); err != nil {
			return nil, fmt.Errorf("%w: %s", err, &p.stderr)
		}
	}
	return s, nil
}

// startedS3 returns S3, or nil where it was not started.
func (l *Lab) startedS3() *s3.Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s3
}

// s3Tool returns the path of the S3 server, and builds it if need be. Builders
// take turns, across processes.
func s3Tool(ctx context.Context, l *Lab) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "bootswain", "tools", "versitygw-"+s3Version)
	tool := filepath.Join(dir, "versitygw")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(tool); !errors.Is(err, fs.ErrNotExist) {
		return tool, err
	}
	fmt.Fprintf(l.log, "building the S3 server, versitygw %s, once (2 minutes)\n", s3Version)
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/versity/versitygw/cmd/versitygw@"+s3Version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install: %w: %s", err, out)
	}
	return tool, nil
}
