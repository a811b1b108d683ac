package mysql

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Spread makes ready what of the server's files the launch data want on other
// volumes, all of which are mounted. The server does not run. It may be repeated
// after a crash at any instruction:
//
//	redo log in the data directory
//	  └─ copied to the volume, "unfinished", durable   (a crash here: removed, begun anew)
//	       └─ the data directory says that it is there (a crash here: gone on with)
//	            └─ no longer "unfinished", and removed from the data directory
//
// From the second of these on the volume's copy is the one that counts. Binary
// logs begin anew there; where the data directory has some it is held.
func (m Move) Spread(ctx context.Context, asked []Elsewhere) error {
	p, err := readPair(m.target())
	if err != nil {
		return err
	}
	if err := p.named(m.Server.Name(), asked); err != nil || len(asked) == 0 {
		return err
	}
	state, err := m.Units.State(ctx, m.Server.Unit)
	if err != nil {
		return err
	}
	if runs(state) {
		return m.runsWhole(asked)
	}
	user, err := ownerOf(m.target())
	if err != nil {
		return err
	}
	var tied []Elsewhere
	for _, e := range asked {
		_, there := p.Parts[e.Part]
		switch {
		case !e.Part.belongs():
			err = m.temporary(e)
		case there:
			err = p.fits(m.Server.Name(), e, e.Dir())
		default:
			err = m.begin(ctx, e)
		}
		if err == nil {
			err = m.own(e, user)
		}
		if err == nil {
			err = m.point(e)
		}
		if err != nil {
			return err
		}
		if e.Part.belongs() {
			tied = append(tied, e)
		}
	}
	if len(tied) == 0 {
		return nil
	}
	return m.tie(p, tied)
}

// tie gives the data directory and its parts a new mark.
func (m Move) tie(p pair, tied []Elsewhere) error {
	mark := newMark()
	for _, e := range tied {
		marks := []string{mark}
		if _, there := p.Parts[e.Part]; there {
			marks = []string{p.Mark, mark}
		}
		if err := errors.Join(writeTag(e, marks...), syncfs(e.Mount)); err != nil {
			return err
		}
	}
	for _, e := range tied {
		was, there := p.Parts[e.Part]
		p.Parts[e.Part] = parted{Volume: e.Volume, Inside: was.Inside || !there && e.Part == RedoLog}
	}
	p.Mark = mark
	if err := p.write(m.target()); err != nil {
		return err
	}
	for _, e := range tied {
		if err := os.Remove(filepath.Join(e.Dir(), unfinished)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := errors.Join(writeTag(e, mark), syncfs(e.Mount)); err != nil {
			return err
		}
	}
	return m.takeOut(p)
}

// takeOut removes what was copied from the data directory: a server that was
// started without its settings would take it for its redo log.
func (m Move) takeOut(p pair) error {
	if !p.Parts[RedoLog].Inside {
		return nil
	}
	list, err := m.redoFiles()
	if err != nil {
		return err
	}
	for _, name := range list {
		if err := os.RemoveAll(filepath.Join(m.target(), name)); err != nil {
			return err
		}
	}
	if err := syncfs(m.Mount); err != nil {
		return err
	}
	p.Parts[RedoLog] = parted{Volume: p.Parts[RedoLog].Volume}
	return p.write(m.target())
}
