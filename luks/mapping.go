package luks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Mapping is a device-mapper device that stands on another device.
type Mapping struct {
	Kernel string // "dm-0"
	Name   string // "bootswain-data", under /dev/mapper
	UUID   string // of the mapping; cryptsetup gives "CRYPT-LUKS2-" and the header's UUID without dashes
}

// Opens tells whether the mapping is the opened header with this UUID.
func (m Mapping) Opens(uuid string) bool {
	return strings.HasPrefix(m.UUID, "CRYPT-LUKS2-"+strings.ReplaceAll(uuid, "-", "")+"-")
}

// Mapped returns the mappings that stand on the device with this kernel name.
// sys is "/sys".
func Mapped(sys, device string) ([]Mapping, error) {
	return mappings(filepath.Join(sys, "block", device, "holders"), sys)
}

// Mappings returns all mappings of the machine.
func Mappings(sys string) ([]Mapping, error) {
	return mappings(filepath.Join(sys, "block"), sys)
}

func mappings(dir, sys string) ([]Mapping, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list mappings: %w", err)
	}
	var found []Mapping
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "dm-") {
			continue
		}
		dm := filepath.Join(sys, "block", e.Name(), "dm")
		name, err := os.ReadFile(filepath.Join(dm, "name"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no mapping, or closed a moment ago
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the name of %s: %w", e.Name(), err)
		}
		uuid, err := os.ReadFile(filepath.Join(dm, "uuid"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read the UUID of %s: %w", e.Name(), err)
		}
		found = append(found, Mapping{Kernel: e.Name(), Name: strings.TrimSpace(string(name)), UUID: strings.TrimSpace(string(uuid))})
	}
	return found, nil
}
