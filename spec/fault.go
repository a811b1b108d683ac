package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with the launch data.
type Fault struct {
	Layer        string // the name of the Layer; "" is the launch data itself
	Line, Column int    // from 1; the column counts characters
	Path         string // "volumes.data.ebz"; "" is the document itself
	Message      string // follows the path: "unknown", "must be true or false, not text"
	Hint         string // what was probably meant, or what to write instead; may be empty
}

// Place returns "line:column", after the name of the layer if there is one.
func (f Fault) Place() string {
	return strings.TrimSpace(fmt.Sprintf("%s %d:%d", f.Layer, f.Line, f.Column))
}

// Text returns the fault without its place: "volumes.data.ebz unknown (ebs?)".
func (f Fault) Text() string {
	text := f.Message
	if f.Path != "" {
		text = f.Path + " " + text
	}
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	return text
}

// String returns the place and the text.
func (f Fault) String() string { return f.Place() + ": " + f.Text() }

// Errors is every fault of a document, sorted by place. It never holds a key
// or another secret that stood in the document.
type Errors struct{ Faults []Fault }

// Error returns one line: the first fault, and how many more there are.
func (e *Errors) Error() string { return e.Faults[0].Place() + ": " + e.Text() }

// Text returns Error's line without the place of the first fault.
func (e *Errors) Text() string {
	text := e.Faults[0].Text()
	if more := len(e.Faults) - 1; more > 0 {
		text += ", " + strconv.Itoa(more) + " more"
	}
	return text
}

// Long returns one line for each fault, each with its line break.
func (e *Errors) Long() string {
	var b strings.Builder
	for _, f := range e.Faults {
		b.WriteString(f.String())
		b.WriteByte('\n')
	}
	return b.String()
}

func sortFaults(faults []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
}

// show quotes a value of the document for a message: short, on one line and
// printable, whatever it was.
func show(s string) string {
	const most = 48
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// step joins a key to a path. A key that is not plain is quoted, and of a long
// one only the beginning is shown: it may be a secret in the wrong place.
func step(path, key string) string {
	odd := func(r rune) bool { return r <= ' ' || r == '.' || r == '"' || r > '~' }
	switch {
	case len(key) > 32:
		key = show(key[:8] + "…")
	case key == "" || strings.ContainsFunc(key, odd):
		key = show(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// nearest returns the candidate that key was probably meant to be, or "".
func nearest(key string, candidates []string) string {
	if len(key) > 40 {
		return ""
	}
	best, bestDistance := "", 1+max(1, len(key)/3)
	for _, c := range candidates {
		if d := distance(key, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to get from a to b (optimal string alignment).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
