// Command bootswain makes a cloud instance ready at boot: it reads the launch
// data, lets the right people in, prepares the storage, holds the database
// back until its volume is really there, and answers a health monitor.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
