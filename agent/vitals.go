package agent

import (
	"slices"

	"bootswain/health"
	"bootswain/health/vitals"
)

// withVitals adds to a report how the machine itself is.
func (d *daemon) withVitals(r health.Report) health.Report {
	seen := d.vitals.Seen()
	r.Checks, r.Metrics = append(r.Checks, seen.Checks...), append(r.Metrics, seen.Families...)
	return r
}

// places are the file systems whose room is watched: the machine's own, and that
// of each volume that is mounted.
func (d *daemon) places() []vitals.Place {
	places := []vitals.Place{{Path: "/"}}
	for _, name := range d.order {
		if v := d.views[name]; v.mounted() {
			places = append(places, vitals.Place{Path: v.want.Mount, ReadOnly: slices.Contains(v.want.Filesystem.Options, "ro")})
		}
	}
	return places
}
