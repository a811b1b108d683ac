package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// redoLog is InnoDB's redo log, by its header.
type redoLog struct {
	Format  uint32 // the server's number for it; 0 where there is none to replay
	Dirty   bool   // of a format that has given way to another: something is to be replayed
	Creator string // "MariaDB 11.8.6"
}

// Formats of the redo log. What is written in one that has given way is not
// replayed by a server with another: it must have been shut down cleanly.
// From storage/innobase/include/log0log.h of MariaDB and log0types.h of MySQL.
const (
	redoEncrypted  = 1 << 31    // a flag of MariaDB's
	redoMariaDB    = 0x50687973 // since 10.8
	redoMySQL      = 6          // since 8.0.30
	redoHeader     = 2048       // the header and both checkpoints of what came before
	redoBlock      = 512
	redoCreator    = 16 // to 48
	redoFilesLimit = 200
)

// redo reads the redo log's header. Its files are ib_logfile0 and those after
// it, or since MySQL 8.0.30 those in #innodb_redo; in the data directory, or where
// another volume's directory is mounted in it.
func (f folder) redo(d *Data) error {
	in, name := "", "ib_logfile0"
	if !f.has(name) && !f.has("#innodb_redo") {
		in = RedoLog.name() + "/"
	}
	name = in + name
	if f.isDir(in + "#innodb_redo") {
		var err error
		if name, err = f.firstRedo(in + "#innodb_redo"); err != nil || name == "" {
			return err
		}
	}
	b, err := f.head(name, redoHeader)
	if err != nil || len(b) < redoHeader {
		return err // none, or emptied by a backup that is to be restored
	}
	r := redoLog{Format: binary.BigEndian.Uint32(b)}
	creator, _, _ := strings.Cut(string(b[redoCreator:redoCreator+32]), "\x00")
	r.Creator = printable([]byte(creator))
	if flavour, v, ok := parseCreator(r.Creator); ok {
		d.name(flavour, v)
	}
	if format := r.Format &^ redoEncrypted; format != redoMariaDB && format != redoMySQL {
		if r.Dirty, err = f.dirty(in, b); err != nil {
			return err
		}
	}
	d.Redo = r
	return nil
}

// firstRedo names a file of #innodb_redo that was in use; the others end in
// "_tmp".
func (f folder) firstRedo(in string) (string, error) {
	dir, err := f.open(in)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	list, err := dir.Readdirnames(redoFilesLimit)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.Sort(list)
	for _, n := range list {
		if strings.HasPrefix(n, "#ib_redo") && !strings.HasSuffix(n, "_tmp") {
			return in + "/" + n, err
		}
	}
	return "", err
}

// dirty says whether an old redo log holds more than its latest checkpoint.
// After a clean shutdown the block of that checkpoint ends with it. The
// checkpoints are at 512 and 1536: number, LSN, and offset in the file, eight
// bytes each; a block has the length of its data at 4. The offset goes on from
// file to file. What cannot be told counts as dirty.
func (f folder) dirty(in string, header []byte) (bool, error) {
	var latest, offset uint64
	for _, at := range []int{redoBlock, 3 * redoBlock} {
		no := binary.BigEndian.Uint64(header[at:])
		if to := binary.BigEndian.Uint64(header[at+16:]); to >= redoHeader && no >= latest {
			latest, offset = no, to
		}
	}
	for n := range redoFilesLimit {
		file, err := f.open(fmt.Sprintf("%sib_logfile%d", in, n))
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil || offset == 0 || !info.Mode().IsRegular() {
			return true, err
		}
		if size := uint64(info.Size()); offset >= size {
			offset -= size
			continue
		}
		block, err := io.ReadAll(io.NewSectionReader(file, int64(offset)&^(redoBlock-1), redoBlock))
		return err != nil || len(block) < 6 || binary.BigEndian.Uint16(block[4:]) != uint16(offset%redoBlock), err
	}
	return true, nil
}

// parseCreator reads who made a redo log: "MariaDB 11.8.6", "MySQL 9.7.4", or
// "Backup 11.8.6-MariaDB" of one that mariadb-backup prepared.
func parseCreator(s string) (Flavour, Version, bool) {
	name, text, _ := strings.Cut(s, " ")
	v, ok := parseVersion(text)
	switch name {
	case string(MariaDB), "Backup":
		return MariaDB, v, ok
	case string(MySQL):
		return MySQL, v, ok
	}
	return "", Version{}, false
}
