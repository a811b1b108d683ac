package mysql

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"bootswain/internal/atomicfile"
	"bootswain/internal/situation"
)

// Either server starts on an older copy of its redo log and loses what was
// committed since, without a word. So a data directory and its parts on other
// volumes bear the same mark, a new one each time they are brought together: an
// older copy of one of them has another.

const (
	// pairFile is in the data directory and says what of it is elsewhere. On a
	// part's volume the mark is in the sentinel.
	pairFile  = ".bootswain-elsewhere"
	markLimit = 4096 // bytes that are read of either
)

// pair is what the data directory says.
type pair struct {
	Mark  string          `json:"mark"`
	Parts map[Part]parted `json:"parts"`
}

// parted is a part that is elsewhere.
type parted struct {
	Volume string `json:"volume"`           // its name
	Inside bool   `json:"inside,omitempty"` // what was copied has not been removed from the data directory yet
}

// tag is what a part's directory says. There are two marks while a new one takes
// the old one's place.
type tag struct {
	Note  string   `json:"note"`
	Marks []string `json:"marks"`
}

// readJSON reads one of our marks in a directory, if there is one.
func readJSON(dir, name string, into any) error {
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	b, err := folder{root}.head(name, markLimit)
	if err != nil || b == nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("cannot read %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}

func readPair(dir string) (p pair, err error) {
	err = readJSON(dir, pairFile, &p)
	if p.Parts == nil {
		p.Parts = map[Part]parted{}
	}
	return p, err
}

func (p pair) write(dir string) error { return writeJSON(dir, pairFile, p) }

func writeTag(e Elsewhere, marks ...string) error {
	return writeJSON(e.Dir(), sentinel, tag{Note: "The " + e.Part.String() + " of a server's databases on another volume, kept by bootswain.", Marks: marks})
}

func writeJSON(dir, name string, what any) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, name), append(b, '\n'), 0o644)
}

func newMark() string { return rand.Text() }

// named says whether the launch data name the volumes that the data directory's
// parts are on: nil, or HELD.
func (p pair) named(server string, asked []Elsewhere) error {
	for _, part := range slices.Sorted(maps.Keys(p.Parts)) {
		on := p.Parts[part].Volume
		text := ", and the launch data name none for that; untouched."
		if i := slices.IndexFunc(asked, func(e Elsewhere) bool { return e.Part == part }); i >= 0 {
			if asked[i].Volume == on {
				continue
			}
			text = fmt.Sprintf(", and the launch data name %s for that; untouched.", asked[i].Volume)
		}
		return &situation.Situation{
			Word: situation.Held, Subject: server, Text: fmt.Sprintf("its %s %s on volume %s%s", part, part.is(), on, text),
			Next: fmt.Sprintf("mysql: {%s: %s} in the launch data", string(part), on),
		}
	}
	return nil
}

// fits says whether what is in dir, on the volume that is asked for, belongs to
// the data directory: nil, or HELD.
func (p pair) fits(server string, e Elsewhere, dir string) error {
	var t tag
	err := readJSON(dir, sentinel, &t)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read volume %s: %w", e.Volume, err)
	}
	if p.Mark != "" && slices.Contains(t.Marks, p.Mark) {
		return nil
	}
	return &situation.Situation{
		Word: situation.Held, Subject: server,
		Text: fmt.Sprintf("the %s on volume %s %s of other databases, or of another time of these; untouched.", e.Part, e.Volume, e.Part.is()),
		Next: "bring the volumes here that were in use together, or restore all of them from one set of snapshots",
	}
}
