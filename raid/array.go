package raid

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bootswain/internal/run"
)

const (
	homehost     = "bootswain" // first half of the name in the superblock, "bootswain:data"
	defaultChunk = 256 << 10   // XFS's log stripe unit can be no larger (xfsprogs, XLOG_MAX_RECORD_BSIZE)
	maxName      = 32 - len(homehost) - 1
)

// ErrBusy is in the chain when mdadm left a member out because somebody holds
// it: the array may be running already. Look again; it is no failure.
var ErrBusy = errors.New("a member is held by somebody")

// CreateOptions says what array to make.
type CreateOptions struct {
	Path       string   // "/dev/md/data"
	Name       string   // at most 22 bytes; the superblock says "bootswain:NAME"
	UUID       string   // in either form
	ChunkBytes int64    // a multiple of 4096; 0 means 256 KiB
	Members    []string // device nodes in the order of their roles, two or more, of equal size

	// Reclaim states that what is on the members is our own unfinished work,
	// known by its UUID. Without it mdadm looks at the members once more by
	// itself and aborts where it finds a file system, an array or partitions.
	Reclaim bool
}

// Create writes new superblocks to the members and starts the array. Everything
// on the members is lost. The caller has proven them blank, or states that they
// are to be reclaimed, and has made sure that they are of equal size.
func Create(ctx context.Context, r run.Runner, o CreateOptions) error {
	chunk := o.ChunkBytes
	if chunk == 0 {
		chunk = defaultChunk
	}
	switch {
	case len(o.Members) < 2:
		return fmt.Errorf("cannot create array %s: %d member, and it takes two", o.Name, len(o.Members))
	case o.Name == "" || len(o.Name) > maxName:
		return fmt.Errorf("cannot create array %q: its name must have 1 to %d bytes", o.Name, maxName)
	case chunk < 4096 || chunk%4096 != 0:
		return fmt.Errorf("cannot create array %s: chunk of %d bytes is no multiple of 4096", o.Name, chunk)
	}
	if _, err := parseUUID(o.UUID); err != nil {
		return fmt.Errorf("cannot create array %s: %w", o.Name, err)
	}
	args := []string{
		"--create", o.Path, "--level=0", "--metadata=1.2", "--homehost=" + homehost, "--name=" + o.Name,
		"--uuid=" + o.UUID, fmt.Sprintf("--chunk=%dK", chunk>>10), fmt.Sprintf("--raid-devices=%d", len(o.Members)),
	}
	if o.Reclaim {
		args = append(args, "--run") // the answer yes to "Continue creating array?"
	}
	// mdadm asks on standard input when a member does not look blank to it.
	_, err := r.Run(ctx, run.Cmd{Name: "mdadm", Args: append(args, o.Members...), Stdin: []byte("n\n")})
	if err != nil {
		return fmt.Errorf("cannot create array %s: %w", o.Name, err)
	}
	return nil
}

// AssembleOptions says what array to start.
type AssembleOptions struct {
	Path    string   // "/dev/md/data"
	UUID    string   // in either form; members with another are left out by mdadm
	Members []string // device nodes, all of them, one a role
}

// Assemble starts an array from exactly the given members, whatever other
// devices say that they belong to it. It writes nothing to them but what md
// itself notes. An array that lacks members does not start; what is left of the
// try is found by Stale.
func Assemble(ctx context.Context, r run.Runner, o AssembleOptions) error {
	args := []string{"--assemble", o.Path, "--homehost=" + homehost, "--uuid=" + o.UUID}
	_, err := r.Run(ctx, run.Cmd{Name: "mdadm", Args: append(args, o.Members...)})
	if exit, ok := errors.AsType[*run.ExitError](err); ok && strings.Contains(exit.Stderr, "busy - skipping") {
		return fmt.Errorf("cannot assemble %s: %w: %w", o.Path, ErrBusy, err)
	}
	if err != nil {
		return fmt.Errorf("cannot assemble %s: %w", o.Path, err)
	}
	return nil
}

// Stop stops the array with the given kernel name, "md127". An array that does
// not exist is stopped.
func Stop(ctx context.Context, r run.Runner, sys, mdName string) error {
	if there, err := exists(sys, mdName); err != nil || !there {
		return err
	}
	_, err := r.Run(ctx, run.Cmd{Name: "mdadm", Args: []string{"--stop", "/dev/" + mdName}})
	if err == nil {
		return nil
	}
	if there, seen := exists(sys, mdName); seen == nil && !there {
		return nil // stopped by somebody else in the meantime
	}
	return fmt.Errorf("cannot stop array %s: %w", mdName, err)
}
