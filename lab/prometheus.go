package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"bootswain/lab/prometheus"
)

// Prometheus starts Debian's Prometheus with a file of alert rules, as it is, and
// has it ask machines, by their names, at these addresses. It ends with the
// laboratory, which has one at most.
func (l *Lab) Prometheus(ctx context.Context, rules string, machines map[string]string) (prometheus.Server, error) {
	tool, err := prometheus.Tool("prometheus")
	if err != nil {
		return "", err
	}
	if rules, err = filepath.Abs(rules); err != nil {
		return "", err
	}
	config := l.path("prometheus.yml")
	if err := os.WriteFile(config, []byte(prometheus.Config(rules, machines)), 0o600); err != nil {
		return "", err
	}
	port, err := freePorts([]int{0})
	if err != nil {
		return "", err
	}
	server := prometheus.Server(fmt.Sprintf("127.0.0.1:%d", port[0]))
	p, err := launch(exec.Command(tool, "--config.file="+config, "--storage.tsdb.path="+l.path("prometheus"),
		"--web.listen-address="+string(server), "--log.level=warn"))
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	l.prometheus = p
	l.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.done:
			cancel(fmt.Errorf("it ended: %s", &p.stderr))
		case <-ctx.Done():
		}
	}()
	if err := WaitFor(ctx, "Prometheus", server.Ready); err != nil {
		return "", fmt.Errorf("%w: %w", err, context.Cause(ctx))
	}
	return server, nil
}
