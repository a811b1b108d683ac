package mysql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bootswain/internal/run"
	"bootswain/internal/situation"

	"github.com/moby/sys/mountinfo"
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
