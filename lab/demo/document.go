package demo

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// document is the launch data. stanza is what "bootswain seal" printed.
func document(publicKey string, volumes []string, stanza string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#bootswain
version: 1
users:
  - name: %s
    groups: [adm]
    sudo: true
    ssh_authorized_keys:
      - %s
volumes:
  %s:
    ebs:
      ids:
`, user, publicKey, volumeName)
	for _, id := range volumes {
		fmt.Fprintf(&b, "        - %s\n", id)
	}
	b.WriteString("    create: if_blank\n")
	for line := range strings.Lines(stanza) {
		fmt.Fprintf(&b, "    %s\n", strings.TrimRight(line, "\n"))
	}
	fmt.Fprintf(&b, `    mount: %s
mysql: {volume: %s}
health: {listen: 0.0.0.0:8273}
`, mountPoint, volumeName)
	return b.String()
}

var long = regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`)

// shorten makes a document readable: of a sealed key and of a public key only
// the beginning and the end are left.
func shorten(doc string) string {
	return long.ReplaceAllStringFunc(doc, func(s string) string {
		return fmt.Sprintf("%s…%s", s[:24], s[len(s)-8:])
	})
}

// bootswain runs the program of this source tree, as a person at this host
// would, and returns what it prints. The flags are those of the package's
// build, whose compiled parts are used again.
func bootswain(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", "-trimpath", "-buildvcs=false", "bootswain/cmd/bootswain"}, args...)...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("bootswain %s: %w\n%s%s", args[0], err, stdout.String(), stderr.String())
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}
