package mysql

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"bootswain/internal/run"
)

// Program is the server that the image has: what it would be as a process.
type Program struct {
	Path    string  `json:"path"`
	Flavour Flavour `json:"flavour"`
	Version Version `json:"version"`
	Case    string  `json:"case"`  // lower_case_table_names of its configuration; "0" is the default of both
	Stamp   string  `json:"stamp"` // tells one file from another that takes its place
}

// programs are where the supported packages keep the server: Debian and its
// relatives, Amazon Linux and its relatives. Where both names are there, they
// are one program.
var programs = []string{"usr/sbin/mariadbd", "usr/libexec/mariadbd", "usr/sbin/mysqld", "usr/libexec/mysqld"}

// FindProgram asks the server below root for its version and its settings.
func FindProgram(ctx context.Context, r run.Runner, root string) (Program, error) {
	for _, path := range programs {
		p := Program{Path: filepath.Join(root, path)}
		stamp, err := stampOf(p.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Program{}, err
		}
		p.Stamp = stamp
		return p, p.ask(ctx, r)
	}
	return Program{}, errors.New("cannot find the server's program: neither mariadbd nor mysqld is where packages put it")
}

// Current says whether the program is still the one that was asked.
func (p Program) Current() bool {
	stamp, err := stampOf(p.Path)
	return err == nil && p.Path != "" && stamp == p.Stamp
}

func (p *Program) ask(ctx context.Context, r run.Runner) error {
	out, err := r.Run(ctx, run.Cmd{Name: p.Path, Args: []string{"--version"}})
	if err != nil {
		return fmt.Errorf("cannot learn the server's version: %w", err)
	}
	var ok bool
	if p.Flavour, p.Version, ok = parseBanner(string(out)); !ok {
		return fmt.Errorf("cannot learn the server's version: %s says %q", p.Path, printable(out))
	}
	// Both print the options that they found in their files, and do nothing.
	out, err = r.Run(ctx, run.Cmd{Name: p.Path, Args: []string{"--print-defaults"}})
	if err != nil {
		return fmt.Errorf("cannot read the server's configuration: %w", err)
	}
	p.Case = configuredCase(string(out))
	return nil
}

var caseOption = regexp.MustCompile(`--lower[-_]case[-_]table[-_]names(?:=([012]))?(?:\s|$)`)

// configuredCase finds lower_case_table_names; the last one counts, and without
// a value it is 1.
func configuredCase(options string) string {
	found := caseOption.FindAllStringSubmatch(options, -1)
	if len(found) == 0 {
		return "0"
	}
	if value := found[len(found)-1][1]; value != "" {
		return value
	}
	return "1"
}

// stampOf changes with the file's content, as every package manager changes it:
// by another file in its place.
func stampOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	return strings.Join([]string{fmt.Sprint(inode), fmt.Sprint(info.Size()), fmt.Sprint(info.ModTime().UnixNano())}, "-"), nil
}
