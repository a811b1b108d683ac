package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"filippo.io/age"
)

// bake fills dir with root.qcow2, which holds what differs from base's root,
// and recipient.
func bake(ctx context.Context, log io.Writer, base Image, deb, dir string) error {
	fmt.Fprintf(log, "image: baking %s into the base image\n", filepath.Base(deb))
	deb, err := filepath.Abs(deb)
	if err != nil {
		return err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("cannot make the image's identity: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "identity"), []byte(identity.String()+"\n"), 0o600); err != nil {
		return err
	}
	script := []string{"sh", "-c", bakeScript, "bake.sh", base.Root, strconv.Itoa(partStart * sectorBytes), deb}
	if err := contained(ctx, log, dir, script); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "recipient"), []byte(identity.Recipient().String()+"\n"), 0o644)
}
