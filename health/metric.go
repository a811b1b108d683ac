package health

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Kind is how a number behaves over time.
type Kind string

// The kinds that bootswain has.
const (
	Gauge   Kind = "gauge"   // goes up and down
	Counter Kind = "counter" // goes up only, or starts again at 0; its name ends in _total
)

// Family is one measurement of several things, as Prometheus knows it. Values
// are in base units: seconds, bytes, ratios of 1.
type Family struct {
	Name    string   `json:"name"` // "bootswain_filesystem_free_bytes"
	Kind    Kind     `json:"kind"`
	Help    string   `json:"help"`
	Samples []Sample `json:"samples"`
}

// Sample is one of a family's values, told from the others by its labels.
type Sample struct {
	Labels map[string]string `json:"labels,omitempty"`
	Value  float64           `json:"value"`
}

// The two formats of Prometheus, by their media types.
const (
	promText    = "text/plain; version=0.0.4; charset=utf-8"
	openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`) // OpenMetrics escapes help so, too
)

// exposition writes the families in one of the two formats. Of samples that
// carry the same labels the last one counts: a second one would make the whole
// answer invalid.
func exposition(families []Family, open bool) []byte {
	b := make([]byte, 0, 16<<10)
	for _, f := range families {
		name, help := f.Name, escapeHelp.Replace(f.Help)
		if open {
			name, help = strings.TrimSuffix(name, "_total"), escapeLabel.Replace(f.Help)
		}
		b = append(append(append(append(append(b, "# HELP "...), name...), ' '), help...), '\n')
		b = append(append(append(append(append(b, "# TYPE "...), name...), ' '), f.Kind...), '\n')
		lines := make([]string, len(f.Samples))
		last := make(map[string]int, len(f.Samples))
		for i, s := range f.Samples {
			lines[i] = labels(s.Labels)
			last[lines[i]] = i
		}
		for i, s := range f.Samples {
			if last[lines[i]] != i {
				continue
			}
			b = append(append(append(b, f.Name...), lines[i]...), ' ')
			b = append(strconv.AppendFloat(b, s.Value, 'g', -1, 64), '\n')
		}
	}
	if open {
		b = append(b, "# EOF\n"...)
	}
	return b
}

// labels writes {a="1",b="2"} in the order of the names.
func labels(l map[string]string) string {
	if len(l) == 0 {
		return ""
	}
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(l)) {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(name + `="` + escapeLabel.Replace(strings.ToValidUTF8(l[name], "\uFFFD")) + `"`)
	}
	return b.String() + "}"
}
