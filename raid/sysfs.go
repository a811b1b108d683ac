package raid

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// States of an array that is not running (Documentation/admin-guide/md.rst,
// array_state).
const (
	StateClear    = "clear"    // no devices and no data
	StateInactive = "inactive" // devices, not started
	StateBroken   = "broken"   // running, and a member is lost
)

// ArrayState returns the state that the kernel gives for an array by its kernel
// name: "clean" or "active" when a striped array runs, or one of the State
// constants. fs.ErrNotExist is in the chain if there is no such array.
func ArrayState(sys, mdName string) (string, error) {
	b, err := os.ReadFile(filepath.Join(sys, "block", mdName, "md", "array_state"))
	if err != nil {
		return "", fmt.Errorf("cannot read the state of array %s: %w", mdName, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Members returns the kernel names of the devices that an array holds, sorted.
func Members(sys, mdName string) ([]string, error) {
	return links(sys, mdName, "slaves")
}

// Holders returns the kernel names of the md and dm devices that hold a device,
// sorted; none for a device that nobody holds.
func Holders(sys, name string) ([]string, error) {
	return links(sys, name, "holders")
}

// Stale returns the kernel names of arrays that do not run and hold nothing but
// some of the given devices, or nothing at all. They are what mdadm leaves when
// it could not start an array; they keep their members busy until stopped.
func Stale(sys string, members []string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(sys, "block", "md*", "md"))
	if err != nil {
		return nil, err
	}
	var stale []string
	for _, dir := range found {
		name := filepath.Base(filepath.Dir(dir))
		state, err := ArrayState(sys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if state != StateClear && state != StateInactive {
			continue
		}
		held, err := Members(sys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(held, func(m string) bool { return !slices.Contains(members, m) }) {
			stale = append(stale, name)
		}
	}
	return stale, nil
}

// links lists one of a block device's link directories.
func links(sys, name, dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(sys, "block", name, dir))
	if err != nil {
		return nil, fmt.Errorf("cannot read the %s of %s: %w", dir, name, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// exists tells whether the kernel has a block device of this name.
func exists(sys, name string) (bool, error) {
	_, err := os.Stat(filepath.Join(sys, "block", name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot see whether %s is there: %w", name, err)
	}
	return true, nil
}
