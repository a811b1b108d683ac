package mysql

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// account is who owns a file, by number: the same user may have another number
// in another image.
type account struct{ uid, gid int }

func accountOf(info fs.FileInfo) account {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return account{int(st.Uid), int(st.Gid)}
	}
	return account{-1, -1}
}

func ownerOf(path string) (account, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return account{}, err
	}
	return accountOf(info), nil
}

// strangers are the users that own something in a directory and are none of
// those known.
func strangers(dir string, known ...int) ([]string, error) {
	var found []string
	err := walk(dir, ".", func(_ *os.Root, _ string, info fs.FileInfo) error {
		a := accountOf(info)
		if name := fmt.Sprint(a.uid); !slices.Contains(known, a.uid) && !slices.Contains(found, name) {
			found = append(found, name)
		}
		return nil
	})
	slices.Sort(found)
	return found, err
}

// reown gives what was the old account's to the new one. The directory itself
// comes last, and once all else is durable, so that after a crash it still
// shows that there is more to do. What root owns stays root's, unless root is
// the old account.
func reown(dir string, was, is account) error {
	err := walk(dir, ".", func(root *os.Root, path string, info fs.FileInfo) error {
		a := accountOf(info)
		to := account{-1, -1} // as it is
		if a.uid == was.uid {
			to.uid = is.uid
		}
		if a.gid == was.gid {
			to.gid = is.gid
		}
		if path == "." || to == (account{-1, -1}) {
			return nil
		}
		return root.Lchown(path, to.uid, to.gid)
	})
	if err != nil {
		return err
	}
	if err := syncfs(dir); err != nil {
		return err
	}
	if err := os.Lchown(dir, is.uid, is.gid); err != nil {
		return err
	}
	return syncfs(dir)
}

// walk visits what is called name in a directory and all in it, itself first. It
// never leaves it: symbolic links are visited and not followed.
func walk(dir, name string, visit func(root *os.Root, path string, info fs.FileInfo) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), name, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(path)
		if err != nil {
			return err
		}
		return visit(root, path, info)
	})
}

// settleOwner makes the databases the server's, whose user may have another
// number in this image than in the one that they come from. It says what it
// changed.
func (m Move) settleOwner() error {
	have, err := ownerOf(m.target())
	if err != nil {
		return err
	}
	want, err := ownerOf(m.Directory)
	if err != nil || have.uid == want.uid {
		return err // who has the group is the owner's choice
	}
	if want.uid == 0 {
		return m.nobodys()
	}
	others, err := strangers(m.target(), have.uid, want.uid, 0)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return m.severalOwners(have, want, others)
	}
	m.Say("%s: the databases belonged to user id %d and group id %d, and now to %d and %d, as whom this image's server runs", m.Volume, have.uid, have.gid, want.uid, want.gid)
	return reown(m.target(), have, want)
}
