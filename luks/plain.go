package luks

import (
	"context"
	"fmt"
	"strings"

	"bootswain/internal/run"
)

// plainUUID begins the UUIDs of mappings that show a device as it is.
const plainUUID = "BOOTSWAIN-PLAIN-"

// MapPlain makes /dev/mapper/NAME over the first size bytes of a device,
// without encryption.
func MapPlain(ctx context.Context, r run.Runner, device, name string, size int64) error {
	_, err := r.Run(ctx, run.Cmd{Name: "dmsetup", Args: []string{"create", name, "--uuid", plainUUID + name, "--table", plainTable(device, size)}})
	return err
}

func plainTable(device string, size int64) string {
	return fmt.Sprintf("0 %d linear %s 0", size/512, device)
}

// ResizePlain gives a mapping made by MapPlain another size.
func ResizePlain(ctx context.Context, r run.Runner, device, name string, size int64) error {
	if _, err := r.Run(ctx, run.Cmd{Name: "dmsetup", Args: []string{"reload", name, "--table", plainTable(device, size)}}); err != nil {
		return err
	}
	_, err := r.Run(ctx, run.Cmd{Name: "dmsetup", Args: []string{"resume", name}})
	return err
}

// Plain tells whether the mapping was made by MapPlain.
func (m Mapping) Plain() bool { return m.UUID == plainUUID+m.Name }

// ClosePlain ends a mapping made by MapPlain. One that is not there is closed.
func ClosePlain(ctx context.Context, r run.Runner, name string) error {
	return removeMapping(ctx, r, name)
}

// CloseLost ends the mapping NAME of a device that is gone: whatever still
// reads or writes through it gets errors from now on.
func CloseLost(ctx context.Context, r run.Runner, name string) error {
	return removeMapping(ctx, r, "--force", name)
}

func removeMapping(ctx context.Context, r run.Runner, args ...string) error {
	_, err := r.Run(ctx, run.Cmd{Name: "dmsetup", Args: append([]string{"remove"}, args...)})
	if err != nil && strings.Contains(err.Error(), "No such device or address") {
		return nil
	}
	return err
}
