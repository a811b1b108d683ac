package mysql

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"bootswain/internal/situation"
)

// Part is what of a server's files may be on another volume than its databases.
type Part string

// The parts, by their keys in launch data. The redo log and the binary logs
// belong to one data directory, which is worth nothing, or less than it was,
// without them; temporary files belong to nobody.
const (
	BinaryLogs Part = "binary_logs"
	RedoLog    Part = "redo_log"
	TmpDir     Part = "tmpdir"
)

// Parts are all of them.
var Parts = []Part{BinaryLogs, RedoLog, TmpDir}

// Elsewhere is a part and the volume that it is on.
type Elsewhere struct {
	Part   Part
	Volume string // name
	Mount  string // where the volume is mounted
}

// ErrApart is the cause of a situation that ends when a part's volume comes up.
var ErrApart = errors.New("a volume of the database is not mounted")

func (p Part) belongs() bool { return p != TmpDir }

// String returns the part as people call it.
func (p Part) String() string {
	switch p {
	case BinaryLogs:
		return "binary logs"
	case RedoLog:
		return "redo log"
	}
	return "temporary files"
}

// is follows String.
func (p Part) is() string {
	if p == RedoLog {
		return "is"
	}
	return "are"
}

// Place is where the server finds the part: in its data directory, since beside
// that AppArmor lets MySQL write to no place that a part could be at. No schema's
// directory begins with #.
func (p Part) Place(directory string) string { return filepath.Join(directory, p.name()) }

func (p Part) name() string { return "#" + string(p) }

// Dir is the directory on the volume that is mounted there.
func (e Elsewhere) Dir() string { return filepath.Join(e.Mount, e.Part.onVolume()) }

func (p Part) onVolume() string { return "mysql-" + string(p) }

// Apart says that a part's volume is not there.
func (e Elsewhere) Apart(server string) error {
	return &situation.Situation{
		Word: situation.Held, Subject: server, Cause: ErrApart,
		Text: fmt.Sprintf("volume %s, where its %s %s, is not mounted.", e.Volume, e.Part, e.Part.is()),
		Next: "see to volume " + e.Volume + ": bootswain status; then nothing, goes on by itself",
	}
}

// settings tell a server where its parts are. A # begins a comment unless it is
// quoted.
func settings(asked []Elsewhere, f Flavour) string {
	var b strings.Builder
	for _, e := range asked {
		place := e.Part.Place(Directory)
		switch e.Part {
		case BinaryLogs:
			// MariaDB's default is 0, with which it rolls back after a crash what it
			// acknowledged and the binary log has lost.
			b.WriteString("sync_binlog = 1\n")
			fmt.Fprintf(&b, "log_bin = \"%s/binlog\"\nlog_bin_index = \"%s/binlog.index\"\n", place, place)
		case RedoLog:
			fmt.Fprintf(&b, "innodb_log_group_home_dir = \"%s\"\n", place)
		case TmpDir:
			fmt.Fprintf(&b, "tmpdir = \"%s\"\n", place)
		}
		if f == MariaDB {
			// To it every directory is a schema.
			fmt.Fprintf(&b, "ignore_db_dirs = \"%s\"\n", e.Part.name())
		}
	}
	return b.String()
}
