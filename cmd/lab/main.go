// Command lab runs a small EC2 on this computer: a machine with volumes and a
// metadata service, for trying bootswain out and for developing it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	code := execute(ctx)
	stop()
	os.Exit(code)
}

func execute(ctx context.Context) int {
	err := newRoot().ExecuteContext(ctx)
	status, isStatus := errors.AsType[exitStatus](err)
	switch {
	case err == nil:
		return 0
	case isStatus:
		return int(status)
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "lab: interrupted")
		return 130
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	return 1
}

// exitStatus is a command of the guest that ended with this status and has
// said itself why.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
