package mysql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bootswain/internal/atomicfile"
	"bootswain/internal/run"
	"bootswain/internal/situation"
)

// copyLimit bounds the copy of an image's prepared data directory.
const copyLimit = 30 * time.Minute

// fresh gives a volume without databases those that the image was made with, or
// new ones.
func (m Move) fresh(ctx context.Context) (Outcome, error) {
	image, err := ReadData(m.Directory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	outcome, fill, least := Made, m.initialise, int64(freshFree)
	switch image.Content {
	case Half:
		return "", m.held(fmt.Sprintf("%s of this image was never finished, or is damaged: it has no %s; nothing written.", m.Directory, image.Lacks),
			"initialise the server in the image, or leave its directory empty")
	case Whole:
		// The image's own databases are its server's to upgrade.
		if _, err := m.Program.Fits(m.Server.Name(), image, true); err != nil {
			return "", err
		}
		outcome, fill = Copied, m.copy
		if least, err = occupied(m.Directory, "."); err != nil {
			return "", err
		}
		least += leastFree
	}
	preparing := m.target() + ".preparing"
	complete, err := m.clear(ctx, preparing)
	if err != nil {
		return "", err
	}
	if !complete {
		if err := m.enoughFree(least); err != nil {
			return "", err
		}
		if err := m.prepare(ctx, preparing, fill); err != nil {
			return "", err
		}
	}
	// rename would do this too, but only for a directory that is empty.
	if err := os.Remove(m.target()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.Rename(preparing, m.target()); err != nil {
		return "", err
	}
	return outcome, syncfs(m.Mount)
}

// clear removes what a crash left of earlier work, or says that it is complete
// and wants its name only.
func (m Move) clear(ctx context.Context, preparing string) (complete bool, err error) {
	there, err := names(preparing)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(there) == 0 || exists(preparing, unfinished):
		// It may still be at work for a daemon that was killed.
		if err := m.Units.Stop(ctx, initialiseUnit); err != nil {
			return false, err
		}
		return false, os.RemoveAll(preparing)
	case exists(preparing, sentinel):
		return true, nil
	}
	return false, m.situation(situation.Refused, fmt.Sprintf("%s holds %s, which bootswain did not put there; nothing written.", preparing, some(there)),
		"move it away, then: bootswain apply "+m.Volume)
}

// prepare fills a directory that a crash leaves recognisable.
func (m Move) prepare(ctx context.Context, preparing string, fill func(context.Context, string) error) error {
	if err := os.Mkdir(preparing, 0o700); err != nil {
		return err
	}
	text := "This directory is being filled by bootswain. It is removed if that is cut off.\n"
	if err := os.WriteFile(filepath.Join(preparing, unfinished), []byte(text), 0o644); err != nil {
		return err
	}
	if err := syncfs(m.Mount); err != nil {
		return err
	}
	if err := fill(ctx, preparing); err != nil {
		return err
	}
	d, err := ReadData(preparing)
	if err != nil {
		return err
	}
	if d.Content != Whole {
		return fmt.Errorf("cannot put databases on volume %s: afterwards there was no %s", m.Volume, d.Lacks)
	}
	if err := errors.Join(Record(preparing, m.Volume, d, m.Program), markFresh(preparing)); err != nil {
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

// copy brings the image's prepared databases to the volume.
func (m Move) copy(ctx context.Context, preparing string) error {
	m.Step("copy the image's databases to the volume")
	cmd := run.Cmd{Name: "cp", Args: []string{"-a", "--", m.Directory + "/.", preparing}, Timeout: copyLimit}
	if _, err := m.Run.Run(ctx, cmd); err != nil {
		return fmt.Errorf("cannot copy the databases to volume %s: %w", m.Volume, err)
	}
	// The server's own id, which its replicas know it by: made anew when it is
	// not there, and otherwise the same on each machine of this image.
	if err := os.Remove(filepath.Join(preparing, "auto.cnf")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Record marks a data directory as the databases of a volume, and keeps which
// server was last let at it. A person who finds the mark should know what it
// is. It writes only what changes.
func Record(dir, volume string, d Data, p Program) error {
	text := fmt.Sprintf("The databases of volume %s, kept by bootswain.\n%s%s %s\n", volume, recordPrefix, p.Flavour, d.Wrote.later(p.Version))
	return atomicfile.Write(filepath.Join(dir, sentinel), []byte(text), 0o644)
}

// occupied is how much of a disk a file, or those in a directory, takes, in bytes.
func occupied(dir, name string) (total int64, err error) {
	err = walk(dir, name, func(_ *os.Root, _ string, info fs.FileInfo) error {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += st.Blocks * 512 // the unit of stat(2), whatever the file system's is
		}
		return nil
	})
	return total, err
}
