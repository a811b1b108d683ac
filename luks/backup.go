package luks

import (
	"context"
	"fmt"
	"io"

	"bootswain/internal/direct"
	"bootswain/internal/run"
)

// Area reads all that comes before the data on the device that the header was
// read from: both copies of the header and the keyslots. It is what cryptsetup's
// luksHeaderBackup writes.
func (h *Header) Area(device string) ([]byte, error) {
	if h.DataOffset < 2*minHeaderSize || h.DataOffset > 4*dataOffset {
		return nil, fmt.Errorf("cannot take the header of %s for one of ours: its data begins at byte %d", device, h.DataOffset)
	}
	f, err := direct.Open(device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, h.DataOffset)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, h.DataOffset), b); err != nil {
		return nil, fmt.Errorf("cannot read the LUKS header on %s: %w", device, err)
	}
	return b, nil
}

// Restore writes the area in a file over the one on the device, whatever is
// there: whoever calls it has proven that the file is of this device.
func Restore(ctx context.Context, r run.Runner, device, file string) error {
	return cryptsetup(ctx, r, nil, "luksHeaderRestore", "--batch-mode", "--header-backup-file", file, device)
}
