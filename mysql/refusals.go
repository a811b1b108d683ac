package mysql

import (
	"fmt"
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
