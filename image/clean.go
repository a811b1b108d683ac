package image

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// leftovers are what one machine and one launch leave, and what the next machine
// makes anew.
var leftovers = []string{
	"/etc/ssh/ssh_host_*_key", "/etc/ssh/ssh_host_*_key.pub", "/etc/ssh/ssh_host_*_key-cert.pub",
	"/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret",
	"/var/lib/NetworkManager/secret_key", "/var/lib/NetworkManager/*.lease", "/var/lib/dhcp/*.leases", "/var/lib/dhcp/*.lease", "/var/lib/dhclient/*.lease*",
	"/etc/bootswain/keys/*",
}

// states are directories whose content is the state of one machine, with what is
// kept of it: what belongs to the image, beside its sources in /etc.
var states = map[string][]string{
	"/var/lib/cloud":     {"/var/lib/cloud/seed", "/var/lib/cloud/scripts"},
	"/var/lib/bootswain": nil,
}

// rotated are logs that nobody writes to any more.
var rotated = pattern(`\.(gz|xz|bz2|zst|old|[0-9]+)$|-[0-9]{8}$`)

// clean removes what is left of the machine, its people and its launch.
func (h Host) clean(done *Prepared) error {
	var errs []error
	for _, path := range append(h.glob(leftovers...), h.personal()...) {
		errs = append(errs, h.remove(path, done))
	}
	for dir, kept := range states {
		errs = append(errs, h.walk(dir, func(path string) error {
			if slices.ContainsFunc(kept, func(k string) bool { return strings.HasPrefix(path, k+"/") }) {
				return nil
			}
			return h.remove(path, done)
		}))
	}
	errs = append(errs, h.walk("/var/log", func(path string) error {
		if rotated().MatchString(path) || strings.HasPrefix(path, "/var/log/journal/") {
			return h.remove(path, done)
		}
		return h.empty(path, done)
	}))
	errs = append(errs, h.machineID(done))
	slices.Sort(done.Removed)
	slices.Sort(done.Emptied)
	return errors.Join(errs...)
}

// personal returns what people left in their home directories.
func (h Host) personal() (paths []string) {
	accounts, err := os.ReadFile(h.at("/etc/passwd"))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(accounts) {
		fields := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(fields) < 7 || !filepath.IsAbs(fields[5]) || filepath.Clean(fields[5]) == "/" {
			continue
		}
		names := append([]string{".ssh/authorized_keys", ".ssh/authorized_keys2", ".local/share/fish/fish_history"}, histories...)
		for _, name := range names {
			path := filepath.Join(fields[5], name)
			if _, err := os.Lstat(h.at(path)); err == nil && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// machineID leaves an empty file, which systemd fills at boot without taking it
// for the first boot of all, when it would enable and disable units by its presets
// (machine-id(5)).
func (h Host) machineID(done *Prepared) error {
	if _, ok := h.regular("/var/lib/dbus/machine-id"); ok {
		if err := h.remove("/var/lib/dbus/machine-id", done); err != nil {
			return err
		}
	}
	switch _, err := os.Lstat(h.at("/etc/machine-id")); {
	case errors.Is(err, fs.ErrNotExist):
		return os.WriteFile(h.at("/etc/machine-id"), nil, 0o444)
	case err != nil:
		return err
	}
	return h.empty("/etc/machine-id", done)
}

// remove removes a file, or a link itself.
func (h Host) remove(path string, done *Prepared) error {
	switch err := os.Remove(h.at(path)); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot remove %s: %w", path, err)
	}
	done.Removed = append(done.Removed, path)
	return nil
}

// empty keeps a file that a service has open, or that must be there.
func (h Host) empty(path string, done *Prepared) error {
	info, ok := h.regular(path)
	if !ok || info.Size() == 0 {
		return nil
	}
	if err := os.Truncate(h.at(path), 0); err != nil {
		return fmt.Errorf("cannot empty %s: %w", path, err)
	}
	done.Emptied = append(done.Emptied, path)
	return nil
}

// walk calls f for everything under dir that is no directory. A link that
// stands for dir is not followed.
func (h Host) walk(dir string, f func(path string) error) error {
	var errs []error
	err := filepath.WalkDir(h.at(dir), func(full string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && full != h.at(dir) {
			path, _ := filepath.Rel(h.Root, full) // full is under Root
			err = f(filepath.Join("/", path))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}
