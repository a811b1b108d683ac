package mysql

import (
	"fmt"

	"bootswain/internal/situation"
)

// longTerm are MySQL's series of long support. It upgrades from the one before
// only, or from what came between.
var longTerm = []Version{{Major: 5, Minor: 7}, {Major: 8, Minor: 0}, {Major: 8, Minor: 4}, {Major: 9, Minor: 7}}

// Fits says whether the server p may open the data d: nil, or HELD. upgrade
// says that the launch data allow what cannot be taken back: data of an earlier
// series made into data of p's. remark is what is to be said where it may.
func (p Program) Fits(server string, d Data, upgrade bool) (remark string, err error) {
	held := func(text, next string) error {
		return &situation.Situation{Word: situation.Held, Subject: server, Text: text, Next: next}
	}
	wrote := fmt.Sprintf("data written by %s, this image has %s; untouched.", d.Wrote, p.Version)
	switch {
	case d.Flavour == "" || d.Wrote == Version{}:
		return "", held("which server wrote the data cannot be told; untouched.", "launch the image that they come from")
	case d.Flavour != p.Flavour:
		return "", held(fmt.Sprintf("data written by %s %s, this image has %s %s; untouched.", d.Flavour, d.Wrote, p.Flavour, p.Version),
			fmt.Sprintf("launch an image with %s %s", d.Flavour, d.Wrote.Series()))
	case d.Wrote.sameSeries(p.Version):
		if !p.Version.before(d.Wrote) {
			return "", p.replays(held, d)
		}
		if p.Flavour == MySQL && p.Version.before(Version{8, 1, 0}) {
			// Each release up to 8.0 could change the dictionary.
			return "", held(wrote, "launch the "+d.Wrote.String()+" image")
		}
		return fmt.Sprintf("data written by %s are opened by the earlier %s of the same series", d.Wrote, p.Version), p.replays(held, d)
	case p.Version.before(d.Wrote):
		return "", held(wrote, "launch the "+d.Wrote.Series()+" image")
	}
	if between := p.skips(d.Wrote); between != "" {
		return "", held(wrote, fmt.Sprintf("MySQL upgrades step by step: launch the %s image first, with mysql: {upgrade: true}", between))
	}
	if !upgrade {
		return "", held(wrote, fmt.Sprintf("launch the %s image; or, for an upgrade that cannot be taken back: snapshot, then mysql: {upgrade: true} in the launch data", d.Wrote.Series()))
	}
	return fmt.Sprintf("data written by %s are upgraded to %s, as the launch data ask", d.Wrote, p.Version), p.replays(held, d)
}

// replays holds back what only an earlier server can recover.
func (p Program) replays(held func(text, next string) error, d Data) error {
	now := uint32(redoMySQL)
	since := Version{8, 0, 30}
	if p.Flavour == MariaDB {
		now, since = redoMariaDB, Version{10, 8, 0}
	}
	if !d.Redo.Dirty || d.Redo.Format&^redoEncrypted == now || p.Version.before(since) {
		return nil
	}
	return held(fmt.Sprintf("data written by %s were not shut down cleanly, and %s cannot replay that redo log; untouched.", d.Wrote, p.Version),
		fmt.Sprintf("launch the %s image, stop the database there, then come back", d.Wrote.Series()))
}

// skips returns the series of MySQL that an upgrade would leave out.
func (p Program) skips(from Version) string {
	if p.Flavour != MySQL {
		return ""
	}
	for _, l := range longTerm {
		if from.before(l) && !from.sameSeries(l) && l.before(p.Version) && !l.sameSeries(p.Version) {
			return l.Series()
		}
	}
	return ""
}
