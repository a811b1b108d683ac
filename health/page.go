package health

import (
	_ "embed" // the style sheet
	"fmt"
	"html"
	"strings"
	"time"
)

//go:embed page.css
var style string

// page is the status page: one document without scripts or foreign assets, for
// wide screens and phones, light and dark. It is XML, too, so that a test can read
// it. It is built by hand, since a template calls methods by name, so that the
// linker would have to keep every method of every type of the program.
func page(r Report, checks []Check) []byte {
	var b strings.Builder
	worst := Worst(checks)
	name := html.EscapeString(or(r.Instance, "this machine"))
	fmt.Fprintf(&b, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta http-equiv="refresh" content="15"/>
<title>%s: %s</title>
<style>
%s</style>
</head>
<body>
<header class="%s"><h1><b>%s</b> %s</h1><p>%s</p></header>
<main>
`, worst, name, style, worst, worst, name, headline(r, checks))
	writeSentences(&b, r.Time, checks)
	writeVolumes(&b, r)
	writeSeries(&b, r.Numbers.Series)
	writeDatabase(&b, r.MySQL)
	writeSteps(&b, r.Steps)
	writeChecks(&b, checks)
	b.WriteString("</main>\n<footer>")
	if r.Release != "" {
		b.WriteString("bootswain " + html.EscapeString(r.Release) + " · ")
	}
	b.WriteString("<a href=\"/health\">health</a> · <a href=\"/metrics\">metrics</a></footer>\n</body>\n</html>\n")
	return []byte(b.String())
}

// headline counts what does not pass, and says of when it is.
func headline(r Report, checks []Check) string {
	count := map[Status]int{}
	for _, c := range checks {
		count[c.Status]++
	}
	text := fmt.Sprintf("%d checks pass", count[Pass])
	if n := count[Warn]; n > 0 {
		text = fmt.Sprintf("%d warn, ", n) + text
	}
	if n := len(checks) - count[Pass] - count[Warn]; n > 0 {
		text = fmt.Sprintf("%d fail, ", n) + text
	}
	if r.MySQL != nil {
		text += "; " + html.EscapeString(or(r.MySQL.Server, "mysql")) + " on " + html.EscapeString(r.MySQL.Volume)
	}
	if !r.Time.IsZero() {
		text += "; as of " + moment(r.Time)
	}
	return text
}

// writeSentences says what is notable first, then, smaller, what is as it should
// be; each sentence once.
func writeSentences(b *strings.Builder, now time.Time, checks []Check) {
	said := map[Sentence]bool{}
	for _, wanted := range []Status{Fail, Warn, Pass} {
		var part strings.Builder
		for _, c := range checks {
			if status(c) != wanted || said[c.Sentence] || c.Quiet && wanted == Pass {
				continue
			}
			said[c.Sentence] = true
			s := c.Sentence
			fmt.Fprintf(&part, "<p><b>%s</b> %s: %s", html.EscapeString(string(s.Word)), html.EscapeString(s.Subject), whole(s.Text))
			if !c.Since.IsZero() && wanted != Pass {
				fmt.Fprintf(&part, " <small>%s</small>", since(c.Since, now))
			}
			if s.Next != "" {
				fmt.Fprintf(&part, "<span><i>next:</i> %s</span>", whole(s.Next))
			}
			part.WriteString("</p>\n")
		}
		if part.Len() > 0 {
			fmt.Fprintf(b, "<section class=\"said %s\">\n%s</section>\n", wanted, part.String())
		}
	}
}

// status is a check's; what is none of the draft's words fails.
func status(c Check) Status {
	if c.Status == Pass || c.Status == Warn {
		return c.Status
	}
	return Fail
}

// whole escapes a text in which an id is not to be cut in two at the end of a
// line.
func whole(text string) string {
	words := strings.Split(html.EscapeString(text), " ")
	for i, w := range words {
		if strings.Contains(w, "-") && len(w) < 32 {
			words[i] = "<span class=\"id\">" + w + "</span>"
		}
	}
	return strings.Join(words, " ")
}

// writeChecks is the table of everything that is looked at, what does not pass
// first.
func writeChecks(b *strings.Builder, checks []Check) {
	b.WriteString("<section><h2>Checks</h2>\n<table>\n")
	for _, wanted := range []Status{Fail, Warn, Pass} {
		for _, c := range checks {
			if status(c) == wanted {
				fmt.Fprintf(b, "<tr class=\"%s\"><th scope=\"row\">%s</th><td>%s</td><td>%s</td></tr>\n",
					wanted, whole(c.Name), wanted, whole(c.Sentence.Text))
			}
		}
	}
	b.WriteString("</table></section>\n")
}

// moment is a time for people; in which zone they are is not known here.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// since says for how long, and since when.
func since(t, now time.Time) string {
	d := max(now.Sub(t), 0)
	unit, n := "second", d.Seconds()
	switch {
	case d >= 48*time.Hour:
		unit, n = "day", d.Hours()/24
	case d >= 2*time.Hour:
		unit, n = "hour", d.Hours()
	case d >= 2*time.Minute:
		unit, n = "minute", d.Minutes()
	}
	if int(n) != 1 {
		unit += "s"
	}
	return fmt.Sprintf("for %d %s, since %s", int(n), unit, moment(t))
}
