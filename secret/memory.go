package secret

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// LockMemory keeps this process's memory out of swap, core dumps and other
// processes' reach. A command that handles keys calls it once, first. An error
// names what could not be had; going on without is possible and weaker, so the
// caller says it once and goes on.
func LockMemory() error {
	var errs []error
	// On fault: only pages that are touched are locked. Go reserves far more
	// address space than it uses.
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		errs = append(errs, fmt.Errorf("cannot keep keys out of swap: mlockall: %w (raise RLIMIT_MEMLOCK)", err))
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		errs = append(errs, fmt.Errorf("cannot forbid core dumps and ptrace: %w", err))
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		errs = append(errs, fmt.Errorf("cannot set the core size limit to 0: %w", err))
	}
	return errors.Join(errs...)
}
