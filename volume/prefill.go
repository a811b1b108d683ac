package volume

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"bootswain/internal/direct"
)

// prefill writes every byte of a scratch volume that is being made. Through the
// encryption the zeros that it writes are random on the devices, so that nobody
// sees what was written to later, and a disk that is slow to write for the first
// time has that behind it.
type prefill struct{ at }

func (p *prefill) String() string { return "fill " + p.on() + " with random bytes" }

// span is how much is written at once.
const span = 4 << 20

func (p *prefill) Apply(ctx context.Context) error {
	mapping, err := p.mapping()
	if err != nil {
		return err
	}
	if err := free(mapping.Path); err != nil {
		return err
	}
	size, err := p.s.w.size(mapping.Kernel)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(mapping.Path, os.O_WRONLY|os.O_EXCL|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) { // a file system that tests run on
		f, err = os.OpenFile(mapping.Path, os.O_WRONLY|os.O_EXCL, 0)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	done := p.s.w.bytes(p.String())
	tell, zeros := done.of(size), direct.Buffer(span)
	for at := int64(0); at < size; at += span {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := min(span, size-at)
		if _, err := f.WriteAt(zeros[:n], at); err != nil {
			return fmt.Errorf("cannot fill %s: byte %d and on: %w", mapping.Path, at, err)
		}
		tell(at+n, size)
	}
	done.end()
	return f.Sync()
}
