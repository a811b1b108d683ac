package agent

import (
	"context"

	"bootswain/systemd"
	"bootswain/volume"
)

// mounts lets systemd carry out a volume's mounts.
type mounts struct{ *systemd.Manager }

// Mount implements volume.Units.
func (m mounts) Mount(ctx context.Context, s volume.MountSpec) error {
	return m.Manager.Mount(ctx, systemd.MountUnit{
		What: s.What, Where: s.Where, Type: s.Type, Options: s.Options, Required: s.Required,
	})
}
