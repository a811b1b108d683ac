package fakehost

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"bootswain/internal/run"
)

// errCut is what a program's runner sees when the power fails.
var errCut = errors.New("the power failed")

// Run implements run.Runner.
func (m *Machine) Run(_ context.Context, c run.Cmd) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Commands = append(m.Commands, c.String())
	if m.missing[c.Name] {
		return nil, &run.MissingError{Name: c.Name}
	}
	if err := m.step(); err != nil {
		return nil, err
	}
	m.refill()
	options, words := split(c.Args)
	var out []byte
	var err error
	switch c.Name {
	case "mdadm":
		err = m.mdadm(c, options, words)
	case "cryptsetup":
		err = m.cryptsetup(c, options, words)
	case "dmsetup":
		err = m.dmsetup(c, options, words)
	case "wipefs":
		out, err = m.wipefs(c, options, words)
	case "mkfs.xfs":
		if has(options, "-V") {
			return []byte("mkfs.xfs version 5.10.0\n"), nil // of before it refused small file systems
		}
		err = m.mkfs(c, options, words)
	case "mkfs.ext4":
		err = m.mkfsExt4(c, options, words)
	case "xfs_growfs":
		err = m.grow(c, m.mountedOn(words[0]))
	case "resize2fs":
		err = m.grow(c, m.find(words[0]))
	case "umount":
		err = m.umount(c, words)
	default:
		err = fmt.Errorf("the model machine has no %s", c.Name)
	}
	m.flush()
	m.show()
	return out, err
}

// step is a moment at which the power may fail.
func (m *Machine) step() error {
	if m.cut {
		return errCut
	}
	m.steps++
	if m.cutAt > 0 && m.steps >= m.cutAt {
		m.cut = true
		return errCut
	}
	return nil
}

// all runs the parts of a program, each of which the power may fail before.
func (m *Machine) all(parts ...func() error) error {
	for _, part := range parts {
		if err := m.step(); err != nil {
			return err
		}
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// valued are the options whose value is the next argument.
var valued = map[string]bool{
	"--type": true, "--uuid": true, "--label": true, "--subsystem": true, "--cipher": true, "--key-size": true, "--hash": true,
	"--sector-size": true, "--offset": true, "--pbkdf": true, "--pbkdf-force-iterations": true, "--token-id": true, "--json-file": true,
	"--key-slot": true, "--keyfile-size": true, "--new-keyfile-size": true, "--header-backup-file": true,
	"-m": true, "-L": true, "-E": true, "-U": true, "--table": true,
}

// split separates options from words.
func split(args []string) (options map[string]string, words []string) {
	options = map[string]string{}
	for i := 0; i < len(args); i++ {
		switch name, value, has := strings.Cut(args[i], "="); {
		case !strings.HasPrefix(name, "-") || name == "-":
			words = append(words, args[i])
		case !has && valued[name] && i+1 < len(args):
			i++
			options[name] = args[i]
		default:
			options[name] = value
		}
	}
	return options, words
}

// exit is a program that ends with a code and says why.
func exit(c run.Cmd, code int, format string, args ...any) error {
	return &run.ExitError{Cmd: c.String(), Code: code, Stderr: fmt.Sprintf(format, args...)}
}

// device finds the device that an argument names.
func (m *Machine) device(c run.Cmd, code int, path string) (*node, error) {
	n := m.find(path)
	if n == nil {
		return nil, exit(c, code, "cannot open %s: No such file or directory", filepath.Base(path))
	}
	return n, nil
}

// busy tells whether something stands on a device, or it is mounted.
func (m *Machine) busy(n *node) bool {
	if len(m.holders(n.name)) > 0 {
		return true
	}
	for _, mt := range m.mounts {
		if mt.number == n.number {
			return true
		}
	}
	return false
}

// destroyed notes that something ready was written over.
func (m *Machine) destroyed(what, by string) {
	m.Destroyed = append(m.Destroyed, fmt.Sprintf("%s by %s", what, by))
}
