package spec

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// DefaultOverdueAfter is how long a missing device may take where the document
// says nothing.
const DefaultOverdueAfter = 5 * time.Minute

// maxDuration is the longest duration a document can give.
const maxDuration = 52 * 7 * 24 * time.Hour

// longUnits matches the days and weeks that Go durations lack.
var longUnits = lazily(`^(?:(\d{1,4})w)?(?:(\d{1,4})d)?(.*)$`)

func (r *reader) duration(n *yaml.Node, path string) (time.Duration, bool) {
	text, ok := r.text(n, path)
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(text)
	if err != nil || d <= 0 || d > maxDuration {
		r.fault(n, path, "as in 90s, 5m, 2h30m, 3d or 1w", "%s is not a duration of at most 52 weeks", show(text))
		return 0, false
	}
	return d, true
}

// ParseDuration reads a Go duration that may begin with weeks and days, of
// seven days and 24 hours: "1w2d3h".
func ParseDuration(text string) (time.Duration, error) {
	m := longUnits.regexp().FindStringSubmatch(text)
	if m == nil || strings.HasPrefix(m[3], "-") || strings.HasPrefix(m[3], "+") {
		return 0, errors.New("not a duration")
	}
	weeks, _ := strconv.Atoi(m[1]) // empty is 0
	days, _ := strconv.Atoi(m[2])
	long := time.Duration(weeks*7+days) * 24 * time.Hour
	if m[3] == "" && m[1]+m[2] != "" {
		return long, nil
	}
	rest, err := time.ParseDuration(m[3])
	if err != nil || rest > maxDuration {
		return 0, errors.New("not a duration")
	}
	return long + rest, nil
}
