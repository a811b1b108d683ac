package mysql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bootswain/internal/run"
	"bootswain/internal/situation"
)

// copyLimit bounds the copy of an image's prepared data directory.
const copyLimit = 30 * time.Minute

// copy brings the image's prepared databases to the volume.
func (m Move) copy(ctx context.Context) error {
	if !initialised(m.Directory) {
		return m.situation(situation.Held, m.Directory+" of this image holds no prepared databases (no directory "+systemSchema+")",
			"install and initialise the server in the image, or bring the databases to "+m.target())
	}
	preparing := m.target() + ".preparing"
	complete, err := m.clear(preparing)
	if err != nil {
		return err
	}
	if !complete {
		if err := m.fill(ctx, preparing); err != nil {
			return err
		}
	}
	// rename would do this too, but only for a directory that is empty.
	if err := os.Remove(m.target()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(preparing, m.target()); err != nil {
		return err
	}
	return syncfs(m.Mount)
}

// clear removes what a crash left of an earlier copy, or says that it is
// complete and wants its name only.
func (m Move) clear(preparing string) (complete bool, err error) {
	there, err := names(preparing)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(there) == 0 || exists(preparing, unfinished):
		return false, os.RemoveAll(preparing)
	case exists(preparing, sentinel):
		return true, nil
	}
	return false, m.situation(situation.Refused, fmt.Sprintf("%s holds %s, which bootswain did not put there; nothing written", preparing, some(there)),
		"move it away, then: bootswain apply "+m.Volume)
}

func (m Move) fill(ctx context.Context, preparing string) error {
	if err := os.Mkdir(preparing, 0o700); err != nil {
		return err
	}
	if err := m.mark(preparing, unfinished); err != nil {
		return err
	}
	if err := syncfs(m.Mount); err != nil {
		return err
	}
	cmd := run.Cmd{Name: "cp", Args: []string{"-a", "--", m.Directory + "/.", preparing}, Timeout: copyLimit}
	if _, err := m.Run.Run(ctx, cmd); err != nil {
		return fmt.Errorf("cannot copy the databases to volume %s: %w", m.Volume, err)
	}
	if err := m.mark(preparing, sentinel); err != nil {
		return err
	}
	// Everything must be on the disk before the mark goes.
	if err := syncfs(m.Mount); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(preparing, unfinished)); err != nil {
		return err
	}
	return syncfs(m.Mount)
}

// mark writes one of the two marks; a person who finds it should know what it
// is.
func (m Move) mark(dir, name string) error {
	text := "This directory is kept by bootswain: the databases of " + m.Server.Name() + " on volume " + m.Volume + ".\n"
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
}
