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
	write(t, root, map[string]string{
		"image/mysql/user.frm": "users", "image/ibdata1": "pages", "volume/": "", "proc/self/mountinfo": rootMount,
	})
	server := Server{Unit: "mariadb.service"}
	return Move{
		Run: run.Host{}, Server: server, Volume: "data",
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

const taken = "mysql mysql/.bootswain mysql/ibdata1 mysql/mysql mysql/mysql/user.frm"

func TestTakeOver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		volume map[string]string // files on it
		want   Outcome
		after  string
	}{
		{"an empty volume", nil, Copied, taken},
		{"an empty directory", map[string]string{"mysql/": ""}, Copied, taken},
		{"a crash after mkdir", map[string]string{"mysql.preparing/": ""}, Copied, taken},
		{"a crash while copying", map[string]string{"mysql.preparing/.bootswain-unfinished": "", "mysql.preparing/mysql/half": ""}, Copied, taken},
		{"a crash while copying from an image that has the sentinel",
			map[string]string{"mysql.preparing/.bootswain-unfinished": "", "mysql.preparing/.bootswain": ""}, Copied, taken},
		{"a crash before the rename",
			map[string]string{"mysql.preparing/.bootswain": "", "mysql.preparing/mysql/all": "", "mysql/": ""}, Copied, "mysql mysql/.bootswain mysql/mysql mysql/mysql/all"},
		{"our databases", map[string]string{"mysql/.bootswain": "", "mysql/mysql/mine": ""}, Found, "mysql mysql/.bootswain mysql/mysql mysql/mysql/mine"},
		{"databases brought by hand", map[string]string{"mysql/mysql/mine": ""}, Adopted, "mysql mysql/.bootswain mysql/mysql mysql/mysql/mine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := newMove(t)
			write(t, m.Mount, tt.volume)
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
		{"an image without databases", func(t *testing.T, _ *Move, root string) {
			if err := os.RemoveAll(filepath.Join(root, "image/mysql")); err != nil {
				t.Fatal(err)
			}
		}, situation.Held, "of this image holds no prepared databases"},
		{"a server that runs", func(_ *testing.T, m *Move, _ string) {
			m.Units = &fakeUnits{units: map[string]systemd.State{"mariadb.service": running("mariadb.service")}}
		}, situation.Held, "it runs on the root disk"},
		{"another user id", func(t *testing.T, m *Move, _ string) {
			if os.Getuid() != 0 {
				t.Skip("only root can give files away")
			}
			write(t, m.Mount, map[string]string{"mysql/.bootswain": "", "mysql/mysql/": ""})
			if err := os.Chown(filepath.Join(m.Mount, "mysql"), 4711, 0); err != nil {
				t.Fatal(err)
			}
		}, situation.Held, "belongs to user id 4711, but this image's server runs as 0; untouched"},
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
