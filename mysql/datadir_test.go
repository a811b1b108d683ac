package mysql

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The heads of the files of data directories that the servers of these versions
// made, with the names of Debian's packages.
const (
	mariadb10 = "mariadb-10.11.19"
	mariadb11 = "mariadb-11.8.6"
	mysql9    = "mysql-9.7.4"
)

// unpack lays a server's data directory into dir.
func unpack(t testing.TB, dir, name string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o700)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadData(t *testing.T) {
	v := func(major, minor, patch int) Version { return Version{major, minor, patch} }
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, n := range names {
				if err := os.RemoveAll(filepath.Join(dir, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	put := func(files map[string]string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, dir, files) }
	}
	for _, tt := range []struct {
		name    string
		made    string
		change  func(*testing.T, string)
		content Content
		flavour Flavour
		wrote   Version
		lacks   string
	}{
		{"MariaDB 10.11", mariadb10, nil, Whole, MariaDB, v(10, 11, 19), ""},
		{"MariaDB 11.8", mariadb11, nil, Whole, MariaDB, v(11, 8, 6), ""},
		{"MySQL 9.7", mysql9, nil, Whole, MySQL, v(9, 7, 4), ""},
		{"MariaDB without the note of its version", mariadb11, remove("mariadb_upgrade_info"), Whole, MariaDB, v(11, 8, 6), ""},
		{"MariaDB from a prepared backup", mariadb11, remove("mariadb_upgrade_info", "ib_logfile0", "aria_log_control"), Whole, MariaDB, v(11, 8, 6), ""},
		{"MariaDB upgraded since", mariadb10, put(map[string]string{"mariadb_upgrade_info": "11.8.6-MariaDB"}), Whole, MariaDB, v(11, 8, 6), ""},
		{"MariaDB that a later server was let at", mariadb10, put(map[string]string{".bootswain": "x\nServer: MariaDB 11.8.6\n"}), Whole, MariaDB, v(11, 8, 6), ""},
		{"a note of the other server", mariadb10, put(map[string]string{".bootswain": "Server: MySQL 99.8.6\n"}), Whole, MariaDB, v(10, 11, 19), ""},
		{"MySQL from before there was a history", mysql9, func(t *testing.T, dir string) {
			remove("mysql_upgrade_history", "#innodb_redo")(t, dir)
			overwrite(t, filepath.Join(dir, "mysql.ibd"), 8, binary.BigEndian.AppendUint32(nil, 80036))
		}, Whole, MySQL, v(8, 0, 36), ""},
		{"MySQL upgraded since", mysql9, put(map[string]string{"mysql_upgrade_history": `{"file_format":"1","upgrade_history":[{"version":"9.7.4"},{"version":"10.0.1-2"},{"version":"rubbish"}]}`}), Whole, MySQL, v(10, 0, 1), ""},
		{"MySQL where MariaDB was", mariadb11, put(map[string]string{"mysql.ibd": "\n", "mysql_upgrade_history": `{"upgrade_history":[{"version":"9.7.4"}]}`}), Whole, MySQL, v(9, 7, 4), ""},
		{"MariaDB where MySQL was", mysql9, func(t *testing.T, dir string) {
			remove("mysql_upgrade_history", "mysql.ibd")(t, dir)
			put(map[string]string{"mariadb_upgrade_info": "11.8.6-MariaDB\n", "aria_log_control": "", "mysql/db.frm": ""})(t, dir)
		}, Whole, MariaDB, v(11, 8, 6), ""},
		{"MySQL 5.7", mariadb11, func(t *testing.T, dir string) {
			remove("mariadb_upgrade_info", "aria_log_control", "ib_logfile0")(t, dir)
			overwrite(t, filepath.Join(dir, "mysql/db.frm"), 51, binary.LittleEndian.AppendUint32(nil, 50744))
		}, Whole, MySQL, v(5, 7, 44), ""},
		{"MySQL whose making was cut off", mysql9, remove("mysql_upgrade_history"), Half, MySQL, v(9, 7, 4), "mysql_upgrade_history"},
		{"MariaDB without system tables", mariadb11, remove("mysql/db.frm"), Half, MariaDB, v(11, 8, 6), "mysql/db.frm"},
		{"MariaDB without its tablespace", mariadb11, remove("ibdata1"), Half, MariaDB, v(11, 8, 6), "ibdata1"},
		{"a tablespace alone", "", put(map[string]string{"ibdata1": "x"}), Half, "", Version{}, "mysql/db.frm"},
		{"a schema alone", "", put(map[string]string{"mysql/": ""}), Half, "", Version{}, "mysql/db.frm"},
		{"nothing", "", nil, Empty, "", Version{}, ""},
		{"emptied by somebody", "", put(map[string]string{".bootswain": "Server: MariaDB 11.8.6"}), Others, "", Version{}, "mysql/db.frm"},
		{"somebody's files", "", put(map[string]string{"notes": "", "photos/": ""}), Others, "", Version{}, "mysql/db.frm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.made != "" {
				unpack(t, dir, tt.made)
			}
			if tt.change != nil {
				tt.change(t, dir)
			}
			d, err := ReadData(dir)
			if err != nil || d.Content != tt.content || d.Flavour != tt.flavour || d.Wrote != tt.wrote || d.Lacks != tt.lacks {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
}

func overwrite(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func TestReadDataFollowsNothing(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	unpack(t, outside, mariadb11)
	for _, name := range []string{"mysql", "ibdata1", "aria_log_control", "mariadb_upgrade_info", "ib_logfile0"} {
		if err := os.Symlink(filepath.Join(outside, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "mysql_upgrade_history"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := ReadData(dir)
	if err != nil || d.Content == Whole || d.Wrote != (Version{}) {
		t.Errorf("got %+v, %v, want nothing of what lies elsewhere", d, err)
	}
	if _, err := ReadData(filepath.Join(dir, "ibdata1")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error = %v, want no directory", err)
	}
}

func TestUpper(t *testing.T) {
	dir := t.TempDir()
	unpack(t, dir, mysql9)
	write(t, dir, map[string]string{"Server.pem": "", "orders/": ""})
	if d, err := ReadData(dir); err != nil || d.Upper != "" {
		t.Errorf("got %q, %v, want no schema with upper-case letters", d.Upper, err)
	}
	write(t, dir, map[string]string{"Orders/": ""})
	if d, err := ReadData(dir); err != nil || d.Upper != "Orders" {
		t.Errorf("got %q, %v, want Orders", d.Upper, err)
	}
}

// oldRedo is a redo log of before MariaDB 10.8 or MySQL 8.0.30, whose latest
// checkpoint is at offset and whose block there has so many bytes.
func oldRedo(format uint32, creator string, offset uint64, length uint16) string {
	b := make([]byte, 8192)
	binary.BigEndian.PutUint32(b, format)
	copy(b[16:], creator)
	binary.BigEndian.PutUint64(b[512:], 7)
	binary.BigEndian.PutUint64(b[512+16:], offset)
	binary.BigEndian.PutUint64(b[1536:], 6)
	binary.BigEndian.PutUint64(b[1536+16:], 2048)
	if at := offset &^ 511; at < 8192 {
		binary.BigEndian.PutUint16(b[at+4:], length)
	}
	return string(b)
}

func TestRedo(t *testing.T) {
	const physical = 0x50485953 // of MariaDB 10.5 to 10.7
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  redoLog
	}{
		{"clean", map[string]string{"ib_logfile0": oldRedo(physical, "MariaDB 10.6.12", 4096+60, 60)}, redoLog{physical, false, "MariaDB 10.6.12"}},
		{"more than its checkpoint", map[string]string{"ib_logfile0": oldRedo(physical, "MariaDB 10.6.12", 4096+60, 76)}, redoLog{physical, true, "MariaDB 10.6.12"}},
		{"in the second file", map[string]string{"ib_logfile0": oldRedo(1, "MySQL 5.7.44", 8192+4096+60, 0), "ib_logfile1": oldRedo(1, "", 4096+60, 60)}, redoLog{1, false, "MySQL 5.7.44"}},
		{"in a file that is not there", map[string]string{"ib_logfile0": oldRedo(1, "MySQL 5.7.44", 8192+60, 60)}, redoLog{1, true, "MySQL 5.7.44"}},
		{"emptied by a backup", map[string]string{"ib_logfile0": ""}, redoLog{}},
		{"none", nil, redoLog{}},
		{"a folder without logs", map[string]string{"#innodb_redo/#ib_redo3_tmp": ""}, redoLog{}},
		{"a creator that a terminal should not see", map[string]string{"ib_logfile0": oldRedo(6, "My\x1bSQL", 0, 0)}, redoLog{6, false, "My?SQL"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, tt.files)
			write(t, dir, map[string]string{"x": ""})
			if d, err := ReadData(dir); err != nil || d.Redo != tt.want {
				t.Errorf("got %+v, %v, want %+v", d.Redo, err, tt.want)
			}
		})
	}
	for made, want := range map[string]uint32{mariadb11: redoMariaDB, mariadb10: redoMariaDB, mysql9: redoMySQL} {
		dir := t.TempDir()
		unpack(t, dir, made)
		if d, err := ReadData(dir); err != nil || d.Redo.Format != want || d.Redo.Dirty {
			t.Errorf("%s: got %+v, %v", made, d.Redo, err)
		}
	}
}

// FuzzReadData gives every file that is read any content. Nothing makes a
// server's data of no server's, and nothing panics.
func FuzzReadData(f *testing.F) {
	files := []string{"mysql_upgrade_history", "mariadb_upgrade_info", "mysql.ibd", "ib_logfile0", "mysql/db.frm", sentinel}
	for _, made := range []string{mariadb10, mariadb11, mysql9} {
		dir := f.TempDir()
		unpack(f, dir, made)
		for i, name := range files {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				f.Add(uint8(2*i), b)
			}
		}
	}
	f.Add(uint8(3), []byte(oldRedo(1, "MySQL 5.7.44", 1<<63+60, 60)))
	base := f.TempDir()
	unpack(f, base, mysql9)
	unpack(f, filepath.Join(base, "both"), mariadb11)
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		dir := base
		if which&1 == 1 {
			dir = filepath.Join(base, "both")
		}
		path := filepath.Join(dir, files[int(which/2)%len(files)])
		old, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if os.WriteFile(path, content, 0o600) != nil {
			return
		}
		d, err := ReadData(dir)
		if err != nil {
			t.Errorf("cannot be read: %v", err)
		}
		if d.Content == Whole && d.Wrote != (Version{}) && !d.Wrote.plausible() {
			t.Errorf("version %s", d.Wrote)
		}
		if strings.ContainsFunc(d.Redo.Creator, func(r rune) bool { return r < ' ' }) {
			t.Errorf("creator %q", d.Redo.Creator)
		}
		if old == nil {
			err = os.Remove(path)
		} else if !bytes.Equal(old, content) {
			err = os.WriteFile(path, old, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}
