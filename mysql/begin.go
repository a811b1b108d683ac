package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"bootswain/internal/run"
)

// begin fills a part's directory, which a crash leaves recognisable.
func (m Move) begin(ctx context.Context, e Elsewhere) error {
	list, err := names(e.Dir())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, syscall.ENOTDIR):
		return m.inTheWay(e, "is not a directory")
	case err != nil:
		return err
	case len(list) > 0 && !slices.Contains(list, unfinished):
		return m.inTheWay(e, "holds "+some(list)+", which is not of these databases")
	}
	files, least, err := m.bring(e.Part)
	if err != nil {
		return err
	}
	on := m
	on.Volume, on.Mount = e.Volume, e.Mount
	if err := on.enoughFree(least); err != nil {
		return err
	}
	if err := os.RemoveAll(e.Dir()); err != nil {
		return err
	}
	if err := os.Mkdir(e.Dir(), 0o700); err != nil {
		return err
	}
	text := "This directory is being filled by bootswain. It is removed if that is cut off.\n"
	if err := os.WriteFile(filepath.Join(e.Dir(), unfinished), []byte(text), 0o644); err != nil {
		return err
	}
	if err := syncfs(e.Mount); err != nil || len(files) == 0 {
		return err
	}
	m.Step("copy the " + e.Part.String() + " to volume " + e.Volume)
	cmd := run.Cmd{Name: "cp", Args: append(append([]string{"-a", "--"}, files...), e.Dir()), Timeout: copyLimit}
	if _, err := m.Run.Run(ctx, cmd); err != nil {
		return fmt.Errorf("cannot copy the %s to volume %s: %w", e.Part, e.Volume, err)
	}
	if err := syncfs(e.Mount); err != nil {
		return err
	}
	for _, f := range files {
		if err := same(f, e.Dir()); err != nil {
			return fmt.Errorf("cannot copy the %s to volume %s: %w", e.Part, e.Volume, err)
		}
	}
	return nil
}

// same compares a file or a directory with its copy in another directory.
func same(from, dir string) error {
	return walk(filepath.Dir(from), filepath.Base(from), func(root *os.Root, path string, info fs.FileInfo) error {
		if !info.Mode().IsRegular() {
			return nil
		}
		a, err := root.Open(path)
		if err != nil {
			return err
		}
		defer a.Close()
		b, err := os.Open(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		defer b.Close()
		return sameBytes(a, b)
	})
}

func sameBytes(a fs.File, b *os.File) error {
	var x, y [64 << 10]byte
	for {
		n, errA := io.ReadFull(a, x[:])
		m, _ := io.ReadFull(b, y[:]) // what cannot be read is not the same
		ended := errors.Is(errA, io.EOF) || errors.Is(errA, io.ErrUnexpectedEOF)
		switch {
		case !ended && errA != nil:
			return errA
		case !bytes.Equal(x[:n], y[:m]):
			return fmt.Errorf("%s is not what it was copied from", b.Name())
		case ended:
			return nil
		}
	}
}

// bring names the files that a part begins with, and the bytes that it needs.
func (m Move) bring(p Part) (files []string, least int64, err error) {
	if p == BinaryLogs {
		list, err := names(m.target())
		if i := slices.IndexFunc(list, isBinaryLog); err == nil && i >= 0 {
			err = m.hasBinaryLogs(list[i])
		}
		return nil, leastFree, err
	}
	list, err := m.redoFiles()
	if err == nil && len(list) == 0 {
		err = m.noRedo()
	}
	least = leastFree
	for _, name := range list {
		size, err := occupied(m.target(), name)
		if err != nil {
			return nil, 0, err
		}
		least += size
		files = append(files, filepath.Join(m.target(), name))
	}
	return files, least, err
}

// A binary log's name ends in a number of six digits or more. The relay log's of
// either server does too, and belongs to the data.
var binaryLog = regexp.MustCompile(`\.\d{6,}$`)

func isBinaryLog(name string) bool {
	return binaryLog.MatchString(name) && !strings.Contains(name, "relay") && !strings.HasPrefix(name, "aria_log.")
}

// redoFiles are what in the data directory is InnoDB's redo log.
func (m Move) redoFiles() ([]string, error) {
	list, err := names(m.target())
	return slices.DeleteFunc(list, func(n string) bool { return n != "#innodb_redo" && !strings.HasPrefix(n, "ib_logfile") }), err
}

// temporary makes the directory for temporary files.
func (m Move) temporary(e Elsewhere) error {
	switch _, err := names(e.Dir()); {
	case errors.Is(err, fs.ErrNotExist):
		return os.Mkdir(e.Dir(), 0o700)
	case errors.Is(err, syscall.ENOTDIR):
		return m.inTheWay(e, "is not a directory")
	default:
		return err
	}
}

// own gives a part to the user who has the databases, where all of it has one
// owner.
func (m Move) own(e Elsewhere, to account) error {
	have, err := ownerOf(e.Dir())
	if err != nil || have == to {
		return err
	}
	others, err := strangers(e.Dir(), have.uid, to.uid, 0)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return m.partOfSeveral(e, to, others)
	}
	if have.uid == 0 {
		return os.Lchown(e.Dir(), to.uid, to.gid) // it was just made
	}
	return reown(e.Dir(), have, to)
}

// point makes the directory that the part is mounted on. The server's user cannot
// write to it.
func (m Move) point(e Elsewhere) error {
	at := filepath.Join(m.target(), e.Part.name())
	switch list, err := names(at); {
	case errors.Is(err, fs.ErrNotExist):
		return os.Mkdir(at, 0o555)
	case err != nil:
		return err
	case len(list) > 0:
		return m.inPlace(e.Part, list)
	}
	return nil
}
