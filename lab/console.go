package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
)

// console keeps what a machine writes to its serial line.
type console struct {
	file *os.File

	mu      sync.Mutex
	text    strings.Builder // since the power came last
	changed chan struct{}   // closed and replaced when text grows
}

func openConsole(path string) (*console, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &console{file: f, changed: make(chan struct{})}, nil
}

// clear makes the line blank: the power comes.
func (c *console) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Reset()
}

// follow reads r to its end.
func (c *console) follow(r io.Reader) { _, _ = io.Copy(c, r) } // it ends with the machine

// Write takes what the machine says.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Write(p)
	close(c.changed)
	c.changed = make(chan struct{})
	return c.file.Write(p)
}

// wait returns the first match since the power came last.
func (c *console) wait(ctx context.Context, pattern *regexp.Regexp) (found string, err error) {
	err = c.until(ctx, func(text string) bool {
		at := pattern.FindStringIndex(text)
		if at != nil {
			found = text[at[0]:at[1]]
		}
		return at != nil
	})
	if err != nil {
		err = fmt.Errorf("the console never said %q: %w", pattern, err)
	}
	return found, err
}

// until returns when what came since the power came last is as wanted.
func (c *console) until(ctx context.Context, wanted func(text string) bool) error {
	for {
		c.mu.Lock()
		text, changed := c.text.String(), c.changed
		c.mu.Unlock()
		if wanted(text) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
