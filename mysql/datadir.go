package mysql

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Content is what a directory is, as data of a server.
type Content string

// The contents.
const (
	Empty  Content = "empty"
	Whole  Content = "whole"  // a server has initialised it
	Half   Content = "half"   // a server's files, but not all that every server needs
	Others Content = "others" // files, but no server's
)

// Data is what the files of a data directory say about it. Reading them starts
// no server, writes nothing and follows no symbolic link.
type Data struct {
	Content Content
	Names   []string // what is in it
	Lacks   string   // of half a data directory: what is not there
	Flavour Flavour  // "" if no file says so
	Wrote   Version  // the latest of that flavour that any file names
	Redo    redoLog
	Upper   string // a schema whose name has upper-case letters; "" if there is none

	named map[Flavour]Version // the latest of each that any file names
}

// What is read of a file at most, in bytes, and of names in a directory.
const (
	infoLimit    = 64
	historyLimit = 1 << 20
)

// ownFiles are what either server makes in every data directory, and nobody
// else does.
var ownFiles = []string{
	"ibdata1", "ib_logfile0", "ib_logfile101", "ib_buffer_pool", "#innodb_redo", "mysql.ibd", "mysql_upgrade_history",
	"undo001", "undo_001", "aria_log_control", "auto.cnf", "mariadb_upgrade_info", "mysql_upgrade_info",
}

// ReadData reads a data directory. A directory that is not there is an error;
// so is one of its files that is there and cannot be read.
func ReadData(dir string) (Data, error) {
	list, err := names(dir)
	if err != nil {
		return Data{}, err
	}
	root, err := os.Open(dir)
	if err != nil {
		return Data{}, err
	}
	defer root.Close()
	f := folder{root}
	d := Data{Names: list, named: map[Flavour]Version{}}
	if len(d.Names) == 0 {
		d.Content = Empty
		return d, nil
	}
	if err := errors.Join(f.mariadb(&d), f.mysql(&d), f.redo(&d)); err != nil {
		return Data{}, fmt.Errorf("cannot read the databases in %s: %w", dir, err)
	}
	d.Flavour = f.flavour(d) // by what the server's files say, and not by our own
	if err := f.record(&d); err != nil {
		return Data{}, fmt.Errorf("cannot read the databases in %s: %w", dir, err)
	}
	d.Wrote = d.named[d.Flavour]
	d.Upper = f.upper(d.Names)
	d.Lacks = f.lacks(d)
	switch {
	case d.Lacks == "":
		d.Content = Whole
	case f.isDir(systemSchema) || slices.ContainsFunc(d.Names, func(n string) bool { return slices.Contains(ownFiles, n) }):
		d.Content = Half
	default:
		d.Content = Others
	}
	return d, nil
}

// lacks names what a server that has finished initialising would have made.
func (f folder) lacks(d Data) string {
	want := []string{systemSchema + "/db.frm", "ibdata1"}
	if d.Flavour == MySQL && f.has("mysql.ibd") || f.has("mysql_upgrade_history") {
		// Since MySQL 8.0 the system tables are in one file, and since 8.4 its
		// last deed of --initialize is to write the history.
		want = []string{"mysql.ibd", systemSchema, "ibdata1"}
		if !d.Wrote.before(Version{8, 4, 0}) {
			want = append(want, "mysql_upgrade_history")
		}
	}
	for _, name := range want {
		if !f.has(name) {
			return name
		}
	}
	return ""
}

func (d *Data) name(f Flavour, v Version) { d.named[f] = d.named[f].later(v) }

// flavour decides between the two. What only one of them makes counts for more
// than a version somewhere: a redo log may be left of what was there before.
func (f folder) flavour(d Data) Flavour {
	_, mariadb := d.named[MariaDB]
	_, mysql := d.named[MySQL]
	switch {
	case f.has("mysql.ibd") || f.has("mysql_upgrade_history"):
		return MySQL
	case f.has("aria_log_control") || mariadb:
		return MariaDB
	case mysql:
		return MySQL
	}
	return ""
}

// mariadb reads what MariaDB leaves, and MySQL before 8.0.
func (f folder) mariadb(d *Data) error {
	// mariadb-upgrade and mariadb-install-db write the version as text.
	for _, name := range []string{"mariadb_upgrade_info", "mysql_upgrade_info"} {
		b, err := f.head(name, infoLimit)
		if err != nil {
			return err
		}
		if v, ok := parseVersion(string(b)); ok && strings.Contains(string(b), string(MariaDB)) {
			d.name(MariaDB, v)
		} else if ok {
			d.name(MySQL, v)
		}
	}
	// A table's definition begins with 0xfe 0x01 and has at 51 the id of the
	// version that made it (sql/table.cc of either server, create_frm).
	b, err := f.head(systemSchema+"/db.frm", 64)
	if err != nil || len(b) < 55 || b[0] != 0xfe || b[1] != 1 {
		return err
	}
	// MySQL has no such files since 8.0, and MariaDB went from 5.5 to 10.
	if v, ok := numbered(binary.LittleEndian.Uint32(b[51:])); ok && v.Major >= 10 {
		d.name(MariaDB, v)
	} else if ok {
		d.name(MySQL, v)
	}
	return nil
}

// mysql reads what MySQL leaves since 8.0.
func (f folder) mysql(d *Data) error {
	// Bytes 8 to 11 of the first page are the version that made it, 12 to 15
	// the version of the format, 1 (storage/innobase/include/fil0types.h,
	// FIL_PAGE_SRV_VERSION and FIL_PAGE_SPACE_VERSION).
	b, err := f.head("mysql.ibd", 64)
	if err != nil {
		return err
	}
	if len(b) >= 16 {
		if v, ok := numbered(binary.BigEndian.Uint32(b[8:])); ok && v.Major >= 8 {
			d.name(MySQL, v)
		}
	}
	b, err = f.head("mysql_upgrade_history", historyLimit)
	if err != nil || b == nil {
		return err
	}
	for _, v := range history(b) {
		d.name(MySQL, v)
	}
	return nil
}

// history reads the versions of mysql_upgrade_history, which MySQL writes since
// 8.4: {"file_format":"1","upgrade_history":[{"date":…,"version":"9.7.4",…}]}.
func history(b []byte) (all []Version) {
	var h struct {
		History []struct {
			Version string `json:"version"`
		} `json:"upgrade_history"`
	}
	if json.Unmarshal(b, &h) != nil {
		return nil
	}
	for _, e := range h.History {
		if v, ok := parseVersion(e.Version); ok {
			all = append(all, v)
		}
	}
	return all
}

// record reads which server was last let at the databases, from the sentinel:
// an upgrade leaves no trace in MariaDB's files until mariadb-upgrade was run.
func (f folder) record(d *Data) error {
	b, err := f.head(sentinel, 4096)
	for line := range bytes.Lines(b) {
		if text, ok := strings.CutPrefix(string(line), recordPrefix); ok {
			if flavour, v, ok := parseCreator(strings.TrimSpace(text)); ok {
				d.name(flavour, v)
			}
		}
	}
	return err
}

// upper finds a name with upper-case letters among the schemas. A server that
// is told to make all names lower case cannot find it.
func (f folder) upper(list []string) string {
	for _, name := range list {
		if strings.HasPrefix(name, "#") || strings.ToLower(name) == name || !f.isDir(name) {
			continue
		}
		return name
	}
	return ""
}
