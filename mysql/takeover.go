package mysql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bootswain/internal/run"
	"bootswain/internal/situation"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

const (
	// sentinel marks a directory as the databases of a volume. The directory
	// on the root disk never has it.
	sentinel = ".bootswain"
	// unfinished marks a copy that is being made; it outranks the sentinel.
	unfinished = ".bootswain-unfinished"
	// systemSchema is the directory of the server's own tables, which every
	// initialised data directory of MySQL and MariaDB has.
	systemSchema = "mysql"
	// copyLimit bounds the copy of an image's prepared data directory.
	copyLimit = 30 * time.Minute
)

// Move takes a server's data directory to a volume.
type Move struct {
	Run       run.Runner
	Units     Units
	Server    Server
	Volume    string // name
	Mount     string // where the volume is mounted
	Directory string // "/var/lib/mysql", the image's
	Proc      string // "/proc"
}

// Outcome is what TakeOver found or did.
type Outcome string

// The outcomes.
const (
	Bound   Outcome = "bound"   // the directory is a mount already; nothing was looked at
	Found   Outcome = "found"   // the volume had the databases
	Adopted Outcome = "adopted" // the volume had databases that were not ours; now they are marked
	Copied  Outcome = "copied"  // the image's prepared databases were copied to the volume
)

// TakeOver makes the volume hold the server's databases: those that it has, or
// a copy of those that the image was made with. Nothing else is ever written
// over. It may be repeated after a crash at any instruction:
//
//	nothing, or an empty "mysql"
//	  └─ mysql.preparing with the mark "unfinished", durable   (a crash here: removed, begun anew)
//	       └─ copied, marked with the sentinel, durable
//	            └─ without "unfinished", durable               (a crash here: renamed)
//	                 └─ renamed to mysql, durable              (found ever after)
func (m Move) TakeOver(ctx context.Context) (Outcome, error) {
	mounted, err := m.mounted()
	if err != nil || mounted {
		return Bound, err
	}
	state, err := m.Units.State(ctx, m.Server.Unit)
	if err != nil {
		return "", err
	}
	if state.Running() {
		return "", m.situation(situation.Held, "it runs on the root disk; its databases are not moved while it does",
			fmt.Sprintf("systemctl stop %s, then: bootswain apply %s", m.Server.Name(), m.Volume))
	}
	there, err := names(m.target())
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(there) == 0:
		err := m.copy(ctx)
		return Copied, err
	case errors.Is(err, syscall.ENOTDIR):
		return "", m.situation(situation.Refused, m.target()+" is not a directory; nothing written", "move it away, then: bootswain apply "+m.Volume)
	case err != nil:
		return "", err
	case !initialised(m.target()):
		text := fmt.Sprintf("%s holds no system tables but %s; nothing written", m.target(), some(there))
		return "", m.situation(situation.Refused, text,
			fmt.Sprintf("move it away: mv %s %s.old; then: bootswain apply %s", m.target(), m.target(), m.Volume))
	}
	return m.adopt()
}

// adopt uses the databases that the volume has, as they are.
func (m Move) adopt() (Outcome, error) {
	have, err := owner(m.target())
	if err != nil {
		return "", err
	}
	if want, err := owner(m.Directory); err == nil && want != have {
		return "", m.situation(situation.Held,
			fmt.Sprintf("%s belongs to user id %d, but this image's server runs as %d; untouched", m.target(), have, want),
			fmt.Sprintf("chown -R %d %s; then: bootswain apply %s", want, m.target(), m.Volume))
	}
	if _, err := os.Lstat(filepath.Join(m.target(), sentinel)); err == nil {
		return Found, nil
	}
	if err := m.mark(m.target(), sentinel); err != nil {
		return "", err
	}
	return Adopted, syncfs(m.Mount)
}

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

func (m Move) target() string { return filepath.Join(m.Mount, onVolume) }

func (m Move) mounted() (bool, error) {
	f, err := os.Open(filepath.Join(m.Proc, "self/mountinfo"))
	if err != nil {
		return false, err
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, mountinfo.SingleEntryFilter(m.Directory))
	return len(mounts) > 0, err
}

func (m Move) situation(word situation.Word, text, next string) error {
	return &situation.Situation{Word: word, Subject: m.Server.Name(), Text: text, Next: next}
}

// names lists a directory that is no symbolic link.
func names(dir string) ([]string, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: dir, Err: syscall.ENOTDIR}
	}
	entries, err := os.ReadDir(dir)
	list := make([]string, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list, err
}

// some names a few of many files.
func some(list []string) string {
	if len(list) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), len(list)-3)
	}
	return strings.Join(list, ", ")
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

func initialised(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, systemSchema))
	return err == nil && info.IsDir()
}

func owner(path string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Uid, nil
}

// syncfs returns when all that was written to the file system at path is
// durable.
func syncfs(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return &fs.PathError{Op: "sync", Path: path, Err: err}
	}
	return nil
}
