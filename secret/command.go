package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"bootswain/internal/run"
)

// commandLimit bounds a program that prints a key.
const commandLimit = 30 * time.Second

// command has a program of the image print the key.
func (r Ring) command(ctx context.Context, words []string) (*Key, error) {
	program := words[0]
	if err := r.trusted(program); err != nil {
		return nil, locked(err, fmt.Sprintf("its key comes from %s, which is not run: %v", program, err), "put the image right"+again)
	}
	out, err := r.Run.Run(ctx, run.Cmd{Name: program, Args: words[1:], Timeout: commandLimit})
	defer clear(out)
	if err != nil {
		next := "run it by hand as root, without looking at what it prints: " + program + " … | wc -c"
		if exit, ok := errors.AsType[*run.ExitError](err); ok {
			return nil, locked(err, fmt.Sprintf("%s ended with exit status %d%s", program, exit.Code, firstLine(exit.Stderr)), next)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, locked(err, fmt.Sprintf("%s did not end in %.0f s", program, commandLimit.Seconds()), next)
		}
		return nil, locked(err, fmt.Sprintf("%s cannot be run", program), next)
	}
	k, err := New(out)
	if err != nil {
		return nil, unusable(program, err)
	}
	return k, nil
}

// trusted makes sure that nobody but root says what the program does.
func (r Ring) trusted(program string) error {
	for p := path.Clean(program); ; p = path.Dir(p) {
		info, err := os.Stat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("this image has no %s", p)
		case err != nil:
			return errors.New("it cannot be looked at")
		case p == program && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0):
			return errors.New("it is no program")
		case info.Sys().(*syscall.Stat_t).Uid != 0:
			return fmt.Errorf("%s does not belong to root", p)
		case info.Mode()&0o022 != 0:
			return fmt.Errorf("others than root can write to %s", p)
		case p == "/" || p == r.top:
			return nil
		}
	}
}

// firstLine is what a program said first, cut to what a sentence holds.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return ""
	}
	if r := []rune(line); len(r) > 120 {
		line = string(r[:120]) + "…"
	}
	return ": " + line
}
