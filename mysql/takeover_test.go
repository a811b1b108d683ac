package mysql

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/systemd"
)

// newMove is a machine with an image's databases and an empty volume.
func newMove(t *testing.T) (Move, string) {
	t.Helper()
	root := t.TempDir()
	write(t, root, map[string]string{"image/auto.cnf": "this image's", "volume/": "", "proc/self/mountinfo": rootMount})
	unpack(t, filepath.Join(root, "image"), mariadb11)
	server := Server{Unit: "mariadb.service"}
	return Move{
		Run: run.Host{}, Server: server, Program: Program{Flavour: MariaDB, Version: Version{11, 8, 6}, Case: "0"}, Volume: "data",
		Step: func(string) {}, Say: func(format string, args ...any) { t.Logf(format, args...) },
		Units: &fakeUnits{units: map[string]systemd.State{server.Unit: stopped(server.Unit)}},
		Mount: filepath.Join(root, "volume"), Directory: filepath.Join(root, "image"), Proc: filepath.Join(root, "proc"),
	}, root
}

// tree lists the files below a folder.
func tree(t *testing.T, root string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != root {
			list = append(list, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

const known = "mysql mysql/.bootswain mysql/aria_log_control mysql/ib_logfile0 mysql/ibdata1 mysql/mariadb_upgrade_info mysql/mysql mysql/mysql/db.frm"

// taken is what is on the volume when bootswain put it there.
var taken = strings.Replace(known, "mysql/.bootswain", "mysql/.bootswain mysql/.bootswain-fresh", 1)

// mine are a volume's own databases.
func mine(files map[string]string) func(t *testing.T, mount string) {
	return func(t *testing.T, mount string) {
		unpack(t, filepath.Join(mount, "mysql"), mariadb11)
		write(t, mount, files)
	}
}

func holds(files map[string]string) func(t *testing.T, mount string) {
	return func(t *testing.T, mount string) { write(t, mount, files) }
}

func TestTakeOver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		volume func(t *testing.T, mount string) // what is on it
		want   Outcome
		after  string
	}{
		{"an empty volume", holds(nil), Copied, taken},
		{"an empty directory", holds(map[string]string{"mysql/": ""}), Copied, taken},
		{"a directory with nothing but what mkfs puts there", holds(map[string]string{"lost+found/": ""}), Copied, "lost+found " + taken},
		{"a crash after mkdir", holds(map[string]string{"mysql.preparing/": ""}), Copied, taken},
		{"a crash while copying", holds(map[string]string{"mysql.preparing/.bootswain-unfinished": "", "mysql.preparing/mysql/half": ""}), Copied, taken},
		{"a crash while copying from an image that has the sentinel",
			holds(map[string]string{"mysql.preparing/.bootswain-unfinished": "", "mysql.preparing/.bootswain": ""}), Copied, taken},
		{"a crash before the rename", func(t *testing.T, mount string) {
			unpack(t, filepath.Join(mount, "mysql.preparing"), mariadb11)
			write(t, mount, map[string]string{"mysql.preparing/.bootswain": "", "mysql/": ""})
		}, Copied, known},
		{"our databases", mine(map[string]string{"mysql/.bootswain": ""}), Found, known},
		{"databases brought by hand", mine(nil), Adopted, known},
		{"a dead server's pid and socket", mine(map[string]string{"mysql/lab.pid": "1", "mysql/z.sock": ""}), Adopted,
			strings.Replace(known, "mysql/ibdata1", "mysql/ibdata1 mysql/lab.pid", 1) + " mysql/z.sock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := newMove(t)
			tt.volume(t, m.Mount)
			got, err := m.TakeOver(context.Background())
			if err != nil || got != tt.want {
				t.Fatalf("TakeOver = %q, %v, want %q", got, err, tt.want)
			}
			if after := tree(t, m.Mount); after != tt.after {
				t.Errorf("volume holds %s\nwant         %s", after, tt.after)
			}
			if got, err := m.TakeOver(context.Background()); err != nil || got != Found {
				t.Errorf("once more: %q, %v, want found", got, err)
			}
		})
	}
}

func TestTakeOverRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, m *Move, root string)
		word situation.Word
		want string
	}{
		{"somebody's files", func(t *testing.T, m *Move, _ string) {
			write(t, m.Mount, map[string]string{"mysql/a": "", "mysql/b": "", "mysql/c": "", "mysql/d": "", "mysql/e": ""})
		}, situation.Refused, "/mysql holds no system tables but a, b, c and 2 more; nothing written"},
		{"a file", func(t *testing.T, m *Move, _ string) {
			write(t, m.Mount, map[string]string{"mysql": "hello"})
		}, situation.Refused, "/mysql is not a directory; nothing written"},
		{"a symbolic link", func(t *testing.T, m *Move, root string) {
			if err := os.Symlink(filepath.Join(root, "image"), filepath.Join(m.Mount, "mysql")); err != nil {
				t.Fatal(err)
			}
		}, situation.Refused, "/mysql is not a directory; nothing written"},
		{"somebody's mysql.preparing", func(t *testing.T, m *Move, _ string) {
			write(t, m.Mount, map[string]string{"mysql.preparing/notes": ""})
		}, situation.Refused, "mysql.preparing holds notes, which bootswain did not put there; nothing written"},
		{"an image whose databases were never finished", func(t *testing.T, _ *Move, root string) {
			if err := os.RemoveAll(filepath.Join(root, "image/mysql")); err != nil {
				t.Fatal(err)
			}
		}, situation.Held, "of this image was never finished, or is damaged: it has no mysql/db.frm; nothing written."},
		{"an image of another server", func(_ *testing.T, m *Move, _ string) {
			m.Program.Flavour = MySQL
		}, situation.Held, "data written by MariaDB 11.8.6, this image has MySQL 11.8.6; untouched."},
		{"half a data directory", func(t *testing.T, m *Move, _ string) {
			write(t, m.Mount, map[string]string{"mysql/ibdata1": "", "mysql/mysql/": ""})
		}, situation.Held, "/mysql was never finished, or is damaged: it has no mysql/db.frm; untouched."},
		{"a later version's", func(t *testing.T, m *Move, _ string) {
			mine(nil)(t, m.Mount)
			m.Program.Version = Version{10, 11, 11}
		}, situation.Held, "HELD mariadb: data written by 11.8.6, this image has 10.11.11; untouched."},
		{"the other server's", func(t *testing.T, m *Move, _ string) {
			unpack(t, filepath.Join(m.Mount, "mysql"), mysql9)
		}, situation.Held, "data written by MySQL 9.7.4, this image has MariaDB 11.8.6; untouched."},
		{"names that it would not find", func(t *testing.T, m *Move, _ string) {
			mine(map[string]string{"mysql/Orders/": ""})(t, m.Mount)
			m.Program.Case = "1"
		}, situation.Held, "the schema Orders has upper-case letters"},
		{"a server that runs", func(_ *testing.T, m *Move, _ string) {
			m.Units = &fakeUnits{units: map[string]systemd.State{"mariadb.service": running("mariadb.service")}}
		}, situation.Held, "it runs on the root disk"},
		{"several user ids", func(t *testing.T, m *Move, _ string) {
			onlyRoot(t)
			mine(nil)(t, m.Mount)
			give(t, 100, m.Directory)
			give(t, 4711, filepath.Join(m.Mount, "mysql"))
			give(t, 4712, filepath.Join(m.Mount, "mysql/ibdata1"))
		}, situation.Held, "belongs to user id 4711, but this image's server runs as 100, and some of it to 4712; untouched."},
		{"a directory of the image that is root's", func(t *testing.T, m *Move, _ string) {
			onlyRoot(t)
			mine(nil)(t, m.Mount)
			give(t, 4711, filepath.Join(m.Mount, "mysql"))
		}, situation.Held, "of this image belongs to root, so it is not known as whom the server runs; nothing written."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, root := newMove(t)
			tt.make(t, &m, root)
			before := tree(t, m.Mount)
			_, err := m.TakeOver(context.Background())
			wantError(t, err, tt.want)
			wantWord(t, err, tt.word)
			if after := tree(t, m.Mount); after != before {
				t.Errorf("volume held %s\nnow holds   %s", before, after)
			}
		})
	}
}

func TestTakeOverOfAMount(t *testing.T) {
	m, root := newMove(t)
	write(t, root, map[string]string{"proc/self/mountinfo": fmt.Sprintf("61 28 253:0 /mysql %s rw - xfs /dev/mapper/bootswain-data rw\n", m.Directory)})
	if got, err := m.TakeOver(context.Background()); err != nil || got != Bound {
		t.Errorf("TakeOver = %q, %v, want bound", got, err)
	}
}

// crash is a copy that ends in the middle.
type crash struct{}

func (crash) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	dst := c.Args[len(c.Args)-1]
	if err := os.WriteFile(filepath.Join(dst, "ibdata1"), nil, 0o600); err != nil {
		return nil, err
	}
	return nil, &run.ExitError{Cmd: c.String(), Code: 1, Stderr: "cp: error writing: No space left on device"}
}

func TestTakeOverAfterAFailedCopy(t *testing.T) {
	m, _ := newMove(t)
	m.Run = crash{}
	_, err := m.TakeOver(context.Background())
	wantError(t, err, "cannot copy the databases to volume data")
	wantError(t, err, "No space left on device")
	m.Run = run.Host{}
	if got, err := m.TakeOver(context.Background()); err != nil || got != Copied {
		t.Fatalf("TakeOver = %q, %v, want copied", got, err)
	}
	if after := tree(t, m.Mount); after != taken {
		t.Errorf("volume holds %s\nwant         %s", after, taken)
	}
}

func onlyRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
}

func give(t *testing.T, uid int, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Lchown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTakeOverGivesAnotherOwner: the server's user has another number in this
// image, and a crash left the first half of the repair.
func TestTakeOverGivesAnotherOwner(t *testing.T) {
	onlyRoot(t)
	m, root := newMove(t)
	outside := filepath.Join(root, "outside")
	write(t, root, map[string]string{"outside": ""})
	mine(map[string]string{"mysql/debian-11.8.flag": ""})(t, m.Mount)
	dir := m.target()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	give(t, 100, m.Directory)
	give(t, 4711, dir, outside, filepath.Join(dir, "ibdata1"), filepath.Join(dir, "mysql"), filepath.Join(dir, "link"))
	give(t, 100, filepath.Join(dir, "mysql/db.frm"))
	var said string
	m.Say = func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
	if got, err := m.TakeOver(context.Background()); err != nil || got != Adopted {
		t.Fatalf("TakeOver = %q, %v, want adopted", got, err)
	}
	if want := "data: the databases belonged to user id 4711 and group id 4711, and now to 100 and 100, as whom this image's server runs"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	for path, want := range map[string]int{dir: 100, dir + "/ibdata1": 100, dir + "/mysql": 100, dir + "/mysql/db.frm": 100, dir + "/link": 100, dir + "/debian-11.8.flag": 0, outside: 4711} {
		if got, err := ownerOf(path); err != nil || got != (account{want, want}) {
			t.Errorf("%s belongs to %v, %v, want %d", path, got, err, want)
		}
	}
}

// TestTakeOverRecordsTheServer: after an upgrade the databases are known as the
// later server's, whatever its files say.
func TestTakeOverRecordsTheServer(t *testing.T) {
	m, _ := newMove(t)
	unpack(t, m.target(), mariadb10)
	_, err := m.TakeOver(context.Background())
	wantError(t, err, "data written by 10.11.19, this image has 11.8.6")
	m.Upgrade = true
	if got, err := m.TakeOver(context.Background()); err != nil || got != Adopted {
		t.Fatalf("TakeOver = %q, %v, want adopted", got, err)
	}
	m.Program.Version = Version{10, 11, 19}
	_, err = m.TakeOver(context.Background())
	wantError(t, err, "data written by 11.8.6, this image has 10.11.19; untouched.")
}

func TestEnoughFree(t *testing.T) {
	m, _ := newMove(t)
	err := m.enoughFree(1 << 60)
	wantError(t, err, "MiB free, and the server needs 1099511627776 MiB; untouched.")
	wantWord(t, err, situation.Held)
}
