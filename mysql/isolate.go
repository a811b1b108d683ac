package mysql

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bootswain/internal/atomicfile"
)

// Isolation keeps a server that has a copy of another's databases from acting as
// that one.
type Isolation struct {
	Wanted bool
	Home   string // SettingsHome
	Self   string // this machine: a copy of the copy is isolated once more
}

// SettingsHome is the folder whose my.cnf both servers read after all files of
// their packages, because the drop-ins for their units name it in MYSQL_HOME. It
// is below /etc/mysql, which is where AppArmor lets MySQL read.
const SettingsHome = "/etc/mysql/bootswain"

const (
	settingsFile = "my.cnf"
	// isolated marks a directory whose server got an identity of its own on the
	// machine that it names.
	isolated = ".bootswain-isolated"
	// identity is where MySQL keeps its server_uuid; it makes another where there
	// is none. MariaDB has no such identity.
	identity     = "auto.cnf"
	identityKept = "auto.cnf.original"
)

// preamble begins the file with the server's settings.
const preamble = `# Written by bootswain before the server starts, as the launch data ask under
# "mysql", and removed when they no longer do.
[mysqld]
`

// isolation are the settings of an isolated server. What one of the two servers
// does not know is loose. mysqld-auto.cnf, which MySQL would read after this file,
// is of the original.
const isolation = `read_only = ON
event_scheduler = DISABLED
loose_super_read_only = ON
loose_skip_replica_start = ON
loose_skip_slave_start = ON
loose_persisted_globals_load = OFF
loose_group_replication_start_on_boot = OFF
loose_wsrep_on = OFF
`

// Settle makes the next start of the server, with its databases in directory, an
// isolated one or one like any other, with more settings. It may be repeated after
// a crash at any instruction; the server does not run.
func (i Isolation) Settle(directory, more string) error {
	file, mark := filepath.Join(i.Home, settingsFile), filepath.Join(directory, isolated)
	if i.Wanted {
		more = isolation + more
	}
	if more == "" {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot end the isolation: %w", err)
		}
	} else if err := writeSettings(i.Home, more); err != nil {
		return err
	}
	if !i.Wanted {
		if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot end the isolation: %w", err)
		}
		return nil
	}
	if here, err := os.ReadFile(mark); err == nil && strings.TrimSpace(string(here)) == i.Self {
		return nil
	}
	err := os.Rename(filepath.Join(directory, identity), filepath.Join(directory, identityKept))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot give the server an identity of its own: %w", err)
	}
	return atomicfile.Write(mark, []byte(i.Self+"\n"), 0o644)
}

// writeSettings writes the file that the server reads last.
func writeSettings(home, settings string) error {
	for _, dir := range []string{filepath.Dir(home), home} {
		// The mode once more: MariaDB's unit has a umask with which the server could
		// not read what is in the folder, and it would go on without.
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("cannot write the server's settings: %w", err)
		}
	}
	file := filepath.Join(home, settingsFile)
	if err := atomicfile.Write(file, []byte(preamble+settings), 0o644); err != nil {
		return fmt.Errorf("cannot write the server's settings: %w", err)
	}
	return readable(filepath.Dir(home), home, file)
}

// readable looks whether every user can read what is at the paths, since a server
// goes on without a file that it cannot read.
func readable(paths ...string) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("cannot write the server's settings: %w", err)
		}
		need := fs.FileMode(0o004)
		if info.IsDir() {
			need = 0o005
		}
		if info.Mode()&need != need {
			return fmt.Errorf("cannot write the server's settings: only some users can read %s (mode %v)", path, info.Mode().Perm())
		}
	}
	return nil
}
