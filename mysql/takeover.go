package mysql

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bootswain/internal/run"
	"bootswain/systemd"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

const (
	// sentinel marks a directory as the databases of a volume. The directory
	// on the root disk never has it.
	sentinel = ".bootswain"
	// recordPrefix begins the sentinel's line on the latest server that was let
	// at the databases.
	recordPrefix = "Server: "
	// unfinished marks what is being made; it outranks the sentinel.
	unfinished = ".bootswain-unfinished"
	// systemSchema is the directory of the server's own tables, which every
	// initialised data directory of MySQL and MariaDB has.
	systemSchema = "mysql"
)

// What a server must find free on the volume, in bytes.
const (
	// leastFree is what a start takes: InnoDB's temporary tablespace, 12 MiB,
	// and some for its logs.
	leastFree = 32 << 20
	// freshFree is what new databases take, 146 MiB of MariaDB 11.8 and 195 MiB
	// of MySQL 9.7, and then a start.
	freshFree = 256 << 20
)

// Move takes a server's data directory to a volume.
type Move struct {
	Run       run.Runner
	Units     Units
	Server    Server
	Program   Program
	Upgrade   bool   // the launch data allow an upgrade to another series
	Volume    string // name
	Mount     string // where the volume is mounted
	Directory string // "/var/lib/mysql", the image's
	Proc      string // "/proc"

	Step func(what string)                // is told what begins
	Say  func(format string, args ...any) // is told what people must know and need not act on
}

// Outcome is what TakeOver found or did.
type Outcome string

// The outcomes.
const (
	Bound   Outcome = "bound"   // the directory is a mount already; nothing was looked at
	Found   Outcome = "found"   // the volume had the databases
	Adopted Outcome = "adopted" // the volume had databases that were not ours; now they are marked
	Copied  Outcome = "copied"  // the image's prepared databases were copied to the volume
	Made    Outcome = "made"    // new databases were made on the volume
)

// TakeOver makes the volume hold databases that the server can open: those that
// it has, or a copy of those that the image was made with, or new ones. Nothing
// else is ever written over. It may be repeated after a crash at any
// instruction:
//
//	nothing, or an empty "mysql"
//	  └─ mysql.preparing with the mark "unfinished", durable   (a crash here: removed, begun anew)
//	       └─ copied or made, marked with the sentinel, durable
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
	if runs(state) {
		return "", m.runsElsewhere()
	}
	d, err := ReadData(m.target())
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && d.Content == Empty:
		return m.fresh(ctx)
	case errors.Is(err, syscall.ENOTDIR):
		return "", m.noDirectory()
	case err != nil:
		return "", err
	case d.Content == Others:
		return "", m.foreign(d.Names)
	case d.Content == Half:
		return "", m.unfinished(d.Lacks)
	}
	return m.adopt(d)
}

// adopt uses the databases that the volume has, as they are.
func (m Move) adopt(d Data) (Outcome, error) {
	remark, err := m.Program.Fits(m.Server.Name(), d, m.Upgrade)
	if err != nil {
		return "", err
	}
	if err := m.openable(d); err != nil {
		return "", err
	}
	if err := m.enoughFree(leastFree); err != nil {
		return "", err
	}
	if err := m.settleOwner(); err != nil {
		return "", err
	}
	if remark != "" {
		m.Say("%s: %s", m.Volume, remark)
	}
	outcome := Adopted
	if exists(m.target(), sentinel) {
		outcome = Found
	}
	return outcome, Record(m.target(), m.Volume, d, m.Program)
}

// openable looks for what a server would stumble over beside the version.
func (m Move) openable(d Data) error {
	root, err := os.Open(m.target())
	if err != nil {
		return err
	}
	defer root.Close()
	f := folder{root}
	if err := f.inUse(m.Server.Name(), m.Proc); err != nil {
		return err
	}
	var made string
	if d.Flavour == MySQL && f.has("mysql.ibd") {
		if made, err = f.madeCase(); err != nil {
			return err
		}
	}
	return m.Program.findsNames(m.Server.Name(), d, made)
}

func (m Move) enoughFree(least int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(m.Mount, &st); err != nil {
		return &fs.PathError{Op: "statfs", Path: m.Mount, Err: err}
	}
	if free := int64(st.Bavail) * st.Bsize; free < least {
		return m.tooLittle(free, least)
	}
	return nil
}

// runs says whether a server may have its files open. While the gate is asked there
// is none yet, and it does not let one start that is not in its place.
func runs(s systemd.State) bool { return s.Running() && s.Sub != "condition" }

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
