package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"bootswain/internal/run"
	"bootswain/internal/situation"
)

// Host is the machine that becomes an image.
type Host struct {
	Root string // "/"; where its files are
	Run  run.Runner
}

// Options say what Prepare makes of the machine.
type Options struct {
	Units    []string  // to be enabled
	Identity io.Reader // the image's identity, as an age identity file; nil keeps the one that is there, or makes one
	Public   bool      // the image will be given to others and must hold no identity
}

// Prepared is what Prepare did. A second run does nothing more.
type Prepared struct {
	Recipients []string // that the image can unseal for
	Made       bool     // the identity is new
	Arrays     bool     // mdadm.conf and, where there is one, the initramfs are new
	Removed    []string // files
	Emptied    []string // files that are needed, without content
}

// Prepare makes the machine ready to become an image: an identity, enabled
// units, no array but ours assembled, and nothing left of the machine, its people
// or its launch. It starts and stops nothing. Situations that it refuses in are
// found before anything is changed; after that it does all that it can, and the
// error names what it could not.
func Prepare(ctx context.Context, h Host, o Options) (Prepared, error) {
	if !h.makesHostKeys() {
		return Prepared{}, refused("nothing on this machine makes new SSH host keys at boot, so without the old ones nobody could log in; nothing changed.",
			"install cloud-init, or a unit that runs ssh-keygen -A before sshd")
	}
	var done Prepared
	var err error
	if done.Recipients, done.Made, err = h.identity(o); err != nil {
		return Prepared{}, err
	}
	var errs []error
	if len(o.Units) > 0 {
		_, err := h.Run.Run(ctx, run.Cmd{Name: "systemctl", Args: append([]string{"--no-reload", "--quiet", "enable"}, o.Units...)})
		errs = append(errs, err)
	}
	done.Arrays, err = h.noArrays(ctx)
	errs = append(errs, err)
	errs = append(errs, h.clean(&done))
	if err := errors.Join(errs...); err != nil {
		return done, fmt.Errorf("cannot prepare the image as a whole: %w", err)
	}
	return done, nil
}

// refused is an image that must not be made like this; a person decides.
func refused(text, next string) *situation.Situation {
	return &situation.Situation{Word: situation.Refused, Subject: "image", Text: text, Next: next}
}

func (h Host) at(path string) string { return filepath.Join(h.Root, path) }

func (h Host) has(patterns ...string) bool { return len(h.glob(patterns...)) > 0 }

// glob returns what is there, as paths in the image.
func (h Host) glob(patterns ...string) (paths []string) {
	for _, p := range patterns {
		found, _ := filepath.Glob(h.at(p)) // the patterns are ours, and sound
		for _, f := range found {
			rel, err := filepath.Rel(h.Root, f)
			if err == nil {
				paths = append(paths, filepath.Join("/", rel))
			}
		}
	}
	return paths
}

// makesHostKeys tells whether a machine of this image gets host keys of its own.
// Distributions have a unit for it, or leave it to cloud-init.
func (h Host) makesHostKeys() bool {
	return !h.has("/usr/sbin/sshd") ||
		h.has("/usr/bin/cloud-init", "/usr/lib/systemd/system/*keygen*.service", "/etc/systemd/system/*keygen*.service", "/lib/systemd/system/*keygen*.service")
}

// regular tells whether the path is a file, and not a link to one.
func (h Host) regular(path string) (fs.FileInfo, bool) {
	info, err := os.Lstat(h.at(path))
	return info, err == nil && info.Mode().IsRegular()
}
