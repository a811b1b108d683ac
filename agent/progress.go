package agent

import (
	"fmt"
	"strings"

	"bootswain/volume"
)

// goingOn says which step is being carried out, and how far and how fast it goes
// where that is known.
func goingOn(p volume.Progress) string {
	if p.Total == 0 {
		return p.Step
	}
	text := fmt.Sprintf("%s, %d %%", p.Step, 100*p.Done/p.Total)
	if rate := p.Rate(); rate > 0 {
		text += fmt.Sprintf(", %d MB/s", rate/1_000_000)
	}
	return text
}

// showProgress prints a step when it has ended. While a long one goes on there
// is a bar on a terminal, and elsewhere a line for each tenth of it.
func (a *Agent) showProgress(p volume.Progress) {
	bar, width := terminal(a.out)
	switch {
	case p.Ended && p.Total > 0:
		if bar {
			fmt.Fprint(a.out, "\r\x1b[K")
		}
		a.say("%s: %s (%.2fs, %d MB/s)", p.Volume, p.Step, p.Took.Seconds(), p.Rate()/1_000_000)
	case p.Ended:
		a.say("%s: %s (%.2fs)", p.Volume, p.Step, p.Took.Seconds())
	case p.Total > 0 && bar:
		fmt.Fprint(a.out, "\r"+progressBar(p, width)+"\x1b[K")
	case p.Total > 0 && 100*p.Done/p.Total%10 == 0:
		a.say("%s: %s", p.Volume, goingOn(p))
	}
}

// progressBar is one line of a terminal that is so many columns wide.
func progressBar(p volume.Progress, width int) string {
	const room = 20
	full := int(room * p.Done / p.Total)
	line := []rune(fmt.Sprintf("[%s%s] %s: %s", strings.Repeat("█", full), strings.Repeat(" ", room-full), p.Volume, goingOn(p)))
	if width > 0 && len(line) >= width {
		line = line[:width-1]
	}
	return string(line)
}
