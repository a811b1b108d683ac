package mysql

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"bootswain/internal/situation"
)

// What keeps a data directory from being used, apart from its version. Each is
// a row of docs/mysql.md.

func (m Move) held(text, next string) error { return m.situation(situation.Held, text, next) }

func (m Move) situation(word situation.Word, text, next string) error {
	return &situation.Situation{Word: word, Subject: m.Server.Name(), Text: text, Next: next}
}

func (m Move) moveAway() string {
	return fmt.Sprintf("move it away: mv %s %s.old; then: bootswain apply %s", m.target(), m.target(), m.Volume)
}

func (m Move) runsElsewhere() error {
	return m.held("it runs on the root disk; its databases are not moved while it does.",
		fmt.Sprintf("systemctl stop %s, then: bootswain apply %s", m.Server.Name(), m.Volume))
}

func (m Move) noDirectory() error {
	return m.situation(situation.Refused, m.target()+" is not a directory; nothing written.", m.moveAway())
}

func (m Move) foreign(names []string) error {
	return m.situation(situation.Refused, fmt.Sprintf("%s holds no system tables but %s; nothing written.", m.target(), some(names)), m.moveAway())
}

func (m Move) unfinished(lacks string) error {
	return m.held(fmt.Sprintf("%s was never finished, or is damaged: it has no %s; untouched.", m.target(), lacks),
		"bring the databases back; or, for new ones, "+m.moveAway())
}

func (m Move) severalOwners(have, want account, others []string) error {
	return m.held(
		fmt.Sprintf("%s belongs to user id %d, but this image's server runs as %d, and some of it to %s; untouched.", m.target(), have.uid, want.uid, strings.Join(others, ", ")),
		fmt.Sprintf("chown -R %d %s; then: bootswain apply %s", want.uid, m.target(), m.Volume))
}

func (m Move) nobodys() error {
	return m.held(m.Directory+" of this image belongs to root, so it is not known as whom the server runs; nothing written.",
		"in the image: chown mysql:mysql "+m.Directory)
}

func (m Move) tooLittle(free, least int64) error {
	return m.held(fmt.Sprintf("volume %s has %d MiB free, and the server needs %d MiB; untouched.", m.Volume, free>>20, least>>20),
		"make room on "+m.Mount+", or make the EBS volume larger")
}

func (m Move) runsWhole(asked []Elsewhere) error {
	var volumes []string
	for _, e := range asked {
		volumes = append(volumes, e.Volume)
	}
	slices.Sort(volumes)
	return m.held(fmt.Sprintf("it runs; its files go to volume %s while it does not.", strings.Join(slices.Compact(volumes), " and ")),
		fmt.Sprintf("bootswain down %s, then: bootswain up %s", m.Volume, m.Volume))
}

func (m Move) inTheWay(e Elsewhere, how string) error {
	return m.situation(situation.Refused, fmt.Sprintf("%s %s; nothing written.", e.Dir(), how),
		fmt.Sprintf("bring the volume of these databases; or move it away: mv %s %s.old; then: bootswain apply %s", e.Dir(), e.Dir(), m.Volume))
}

func (m Move) hasBinaryLogs(name string) error {
	return m.held(fmt.Sprintf("%s has binary logs of its own, like %s; untouched.", m.target(), name),
		"leave binary_logs out of mysql in the launch data; or, once the server was stopped cleanly, move them and their index away")
}

func (m Move) noRedo() error {
	return m.held(fmt.Sprintf("%s has no redo log, without which the databases are damaged; untouched.", m.target()),
		"bring the redo log of these databases back")
}

func (m Move) partOfSeveral(e Elsewhere, to account, others []string) error {
	return m.held(fmt.Sprintf("some of %s belongs to user id %s, but the databases to %d; untouched.", e.Dir(), strings.Join(others, ", "), to.uid),
		fmt.Sprintf("chown -R %d %s; then: bootswain apply %s", to.uid, e.Dir(), m.Volume))
}

func (m Move) inPlace(p Part, list []string) error {
	at := filepath.Join(m.target(), p.name())
	return m.situation(situation.Refused, fmt.Sprintf("%s is to be a mount point, and holds %s; nothing written.", at, some(list)),
		fmt.Sprintf("move it away: mv %s %s.old; then: bootswain apply %s", at, at, m.Volume))
}
