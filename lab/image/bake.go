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
	work := filepath.Join(dir, "work.raw")
	if err := command(ctx, log, "cp", "--sparse=auto", base.Root, work); err != nil {
		return err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("cannot make the image's identity: %w", err)
	}
	identityFile := filepath.Join(dir, "identity")
	if err := os.WriteFile(identityFile, []byte(identity.String()+"\n"), 0o600); err != nil {
		return err
	}
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o700); err != nil {
		return err
	}
	if err := contained(ctx, log, []string{"sh", "-c", bakeScript, "bake.sh", work, strconv.Itoa(partStart * sectorBytes), deb, identityFile, root}); err != nil {
		return err
	}
	if err := difference(ctx, log, base.Root, work, filepath.Join(dir, "root.qcow2")); err != nil {
		return err
	}
	// The identity lives in the image and nowhere else.
	for _, path := range []string{work, identityFile, root} {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "recipient"), []byte(identity.Recipient().String()+"\n"), 0o644)
}

// difference writes to path a qcow2 image over base that reads like changed:
// some MiB instead of a second copy of the whole.
func difference(ctx context.Context, log io.Writer, base, changed, path string) error {
	if err := command(ctx, log, "qemu-img", "create", "-q", "-f", "qcow2", "-b", changed, "-F", "raw", path); err != nil {
		return err
	}
	return command(ctx, log, "qemu-img", "rebase", "-q", "-t", "unsafe", "-T", "unsafe", "-f", "qcow2", "-b", base, "-F", "raw", path)
}
