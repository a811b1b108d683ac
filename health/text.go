package health

import (
	"fmt"
	"io"
	"strings"
	"time"

	"bootswain/internal/situation"
)

// Sentences returns what the checks say, a sentence each; one that several
// checks share is said once, and of a quiet one that it passes not at all.
func Sentences(checks []Check) string {
	var b strings.Builder
	said := map[Sentence]bool{}
	for _, c := range checks {
		if !said[c.Sentence] && (!c.Quiet || c.Status != Pass) {
			said[c.Sentence] = true
			b.WriteString(c.Sentence.Situation().String() + "\n")
		}
	}
	return b.String()
}

// notable leaves out the checks that pass.
func notable(checks []Check) []Check {
	var list []Check
	for _, c := range checks {
		if c.Status != Pass {
			list = append(list, c)
		}
	}
	return list
}

// View is how a report is shown to a person.
type View struct {
	Colour bool // the output is a terminal
	Steps  bool // show what was done as bars
	Width  int  // of the terminal in columns; 0 means 80
}

// Text writes a report for people: the sentences, then each volume as a tree
// from its mount down to its devices, then, if wanted, the steps. daemon is the
// check that Latest returned.
func Text(w io.Writer, r Report, daemon Check, v View) error {
	checks := r.Checks
	if daemon.Status != Pass {
		checks = append([]Check{daemon}, checks...)
	}
	var b strings.Builder
	for line := range strings.Lines(Sentences(checks)) {
		b.WriteString(v.paint(line))
	}
	for _, volume := range r.Volumes {
		b.WriteString("\n" + Tree(volume))
		for _, on := range r.MySQL.on(volume.Name) {
			fmt.Fprintf(&b, "   %s: %s\n", on[0], on[1])
		}
	}
	if v.Steps && len(r.Steps) > 0 {
		b.WriteString("\n" + Bars(r.Steps, v.Width))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// paint colours the word at the start of a sentence.
func (v View) paint(line string) string {
	word, rest, _ := strings.Cut(line, " ")
	if !v.Colour || word == "" || word != strings.ToUpper(word) {
		return line
	}
	colour := map[Status]string{Pass: "32", Warn: "33", Fail: "31"}[StatusOf(situation.Word(word))]
	return "\x1b[1;" + colour + "m" + word + "\x1b[0m " + rest
}

// Bars draws the steps along their time. Names take no more than half of the
// width.
func Bars(steps []Step, width int) string {
	first, total := span(steps)
	name := 0
	for _, s := range steps {
		name = max(name, len([]rune(s.Name)))
	}
	if width <= 0 {
		width = 80
	}
	name = min(name, width/2)
	room := max(width-name-11, 10) // two gaps of one and the seconds in eight columns
	at := func(d time.Duration) int {
		return int(int64(room) * int64(d/time.Microsecond+1) / int64(total/time.Microsecond+1))
	}
	var b strings.Builder
	for _, s := range steps {
		from := min(at(s.Start.Sub(first)), room-1)
		to := min(max(at(s.Start.Add(s.Duration).Sub(first)), from+1), room)
		fmt.Fprintf(&b, "%-*s %7.2fs %s%s\n", name, cut(s.Name, name), s.Duration.Seconds(), strings.Repeat(" ", from), strings.Repeat("█", to-from))
	}
	return b.String()
}

// cut shortens a text to so many columns, and shows that it did.
func cut(s string, columns int) string {
	if r := []rune(s); len(r) > columns {
		return string(r[:columns-1]) + "…"
	}
	return s
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
