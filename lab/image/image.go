// Package image builds what laboratory machines boot from: a plain Debian
// image, the same image with bootswain's package installed in it the way a
// user bakes an AMI, and a micro guest for tests that need a real kernel and
// real tools but no systemd.
//
// Everything is kept in a cache named by the hash of what went into it, so
// only a changed recipe or a changed package costs time. An interrupted build
// leaves no entry behind, two builders of the same thing wait for each other,
// and nothing stays mounted: whatever must be mounted is mounted in a mount
// namespace that ends with the build. It needs root.
//
// It never starts bootswain or a service while building, and it puts no user
// and no key into an image; the one secret in a baked image is its age
// identity.
package image

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Image is something a machine can boot. Its files are shared by all machines
// and are only ever read: give each machine a qcow2 overlay.
type Image struct {
	Kernel string // uncompressed kernel (ELF, entered by PVH): a second less at every boot than bzImage
	Root   string // disk image for an NVMe device; one partition holding ext4
	Format string // format of Root, for the overlay's backing_fmt: "raw" or "qcow2"
	Append string // what the kernel must be told to find its root

	// Recipient is the age recipient whose identity the image holds, where
	// volume keys are sealed to; empty for a plain image.
	Recipient string

	Tree string // the root's content as a directory; plain images only

	key string // names the cache entry
}

// Base returns the plain image, building it if the cache does not have it: a
// database server, sshd and the storage tools, without bootswain. Progress goes
// to log.
func (s System) Base(ctx context.Context, log io.Writer) (Image, error) {
	r, err := s.recipe()
	if err != nil {
		return Image{}, err
	}
	dir, err := cached(ctx, log, s.suite, r.key(), func(dir string) error { return s.build(ctx, log, r, dir) })
	if err != nil {
		return Image{}, err
	}
	return Image{
		Kernel: filepath.Join(dir, "vmlinux"),
		Root:   filepath.Join(dir, "root.raw"),
		Format: "raw",
		Append: kernelAppend,
		Tree:   filepath.Join(dir, "tree"),
		key:    r.key(),
	}, nil
}

// Bake installs deb into base and gives the image an age identity of its own.
// The package's own scripts enable the units; none is started. A later Bake
// of the same package into the same base is the same image, identity included.
func Bake(ctx context.Context, log io.Writer, base Image, deb string) (Image, error) {
	sum, err := fileSum(deb)
	if err != nil {
		return Image{}, err
	}
	key := hash(base.key, sum, bakeScript)
	dir, err := cached(ctx, log, "baked", key, func(dir string) error { return bake(ctx, log, base, deb, dir) })
	if err != nil {
		return Image{}, err
	}
	recipient, err := os.ReadFile(filepath.Join(dir, "recipient"))
	if err != nil {
		return Image{}, err
	}
	return Image{
		Kernel:    base.Kernel,
		Root:      filepath.Join(dir, "root.qcow2"),
		Format:    "qcow2",
		Append:    base.Append,
		Recipient: strings.TrimSpace(string(recipient)),
		key:       key,
	}, nil
}
