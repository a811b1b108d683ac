package systemd

import (
	_ "embed" // the preset
	"strings"
)

//go:embed 50-bootswain.preset
var preset string

// Enabled returns the names of our units that are enabled on every machine, as
// the package's preset has it.
func Enabled() (units []string) {
	for line := range strings.Lines(preset) {
		if unit, ok := strings.CutPrefix(strings.TrimSpace(line), "enable "); ok {
			units = append(units, unit)
		}
	}
	return units
}
