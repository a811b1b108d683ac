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
// wide screens and phones, light and dark. It is built by hand, since a template
// calls methods by name, so that the linker would have to keep every method of
// every type of the program.
func page(r Report, checks []Check) []byte {
	var b strings.Builder
	worst := Worst(checks)
	name := or(r.Instance, "this machine")
	fmt.Fprintf(&b, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="15">
<title>%s: %s</title>
<style>%s</style>
</head>
<body>
<header class="%s"><h1>%s</h1><p>%s</p></header>
<main>
`, worst, html.EscapeString(name), style, worst, html.EscapeString(name), headline(r, checks))
	writeSentences(&b, checks)
	writeVolumes(&b, r)
	writeDatabase(&b, r)
	for _, s := range r.Numbers.Series {
		writeSeries(&b, s)
	}
	writeChecks(&b, checks)
	if len(r.Steps) > 0 {
		b.WriteString("<section><h2>What was done since boot</h2>\n" + waterfall(r.Steps) + "</section>\n")
	}
	b.WriteString("</main>\n<footer>")
	if !r.Time.IsZero() {
		fmt.Fprintf(&b, "bootswain %s, reported %s", html.EscapeString(r.Release), moment(r.Time))
	}
	b.WriteString(" · <a href=\"/health\">health</a> · <a href=\"/metrics\">metrics</a></footer>\n</body>\n</html>\n")
	return []byte(b.String())
}

// headline counts what does not pass.
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
	return text
}

// writeSentences says what is notable first, then what is as it should be; each
// sentence once.
func writeSentences(b *strings.Builder, checks []Check) {
	b.WriteString("<section class=\"sentences\">\n")
	said := map[Sentence]bool{}
	for _, wanted := range []Status{Fail, Warn, Pass} {
		for _, c := range checks {
			status := c.Status
			if status != Pass && status != Warn {
				status = Fail
			}
			if status != wanted || said[c.Sentence] || c.Quiet && status == Pass {
				continue
			}
			said[c.Sentence] = true
			s := c.Sentence
			fmt.Fprintf(b, "<p class=\"%s\"><b>%s</b> %s: %s", status, html.EscapeString(string(s.Word)), html.EscapeString(s.Subject), html.EscapeString(s.Text))
			if !c.Since.IsZero() && status != Pass {
				fmt.Fprintf(b, " <small>since %s</small>", moment(c.Since))
			}
			if s.Next != "" {
				fmt.Fprintf(b, "<span>next: %s</span>", html.EscapeString(s.Next))
			}
			b.WriteString("</p>\n")
		}
	}
	b.WriteString("</section>\n")
}

// writeVolumes draws the storage from each mount down to its volume ids.
func writeVolumes(b *strings.Builder, r Report) {
	if len(r.Volumes) == 0 {
		return
	}
	b.WriteString("<section><h2>Storage</h2>\n")
	for _, v := range r.Volumes {
		tree := Tree(v)
		if r.MySQL != nil && r.MySQL.Volume == v.Name {
			tree += "   databases of " + or(r.MySQL.Server, "mysql") + ": " + r.MySQL.Directory + "\n"
		}
		b.WriteString("<pre>" + html.EscapeString(tree) + "</pre>\n")
	}
	b.WriteString("</section>\n")
}

// writeDatabase is what the database server says of itself.
func writeDatabase(b *strings.Builder, r Report) {
	if r.MySQL != nil && r.MySQL.Status != nil {
		b.WriteString("<section><h2>Database</h2>\n<pre>" + html.EscapeString(r.MySQL.Table()) + "</pre>\n</section>\n")
	}
}

// writeChecks is the table of everything that is looked at.
func writeChecks(b *strings.Builder, checks []Check) {
	b.WriteString("<section><h2>Checks</h2>\n<table><thead><tr><th>check</th><th>status</th><th>value</th><th>what was seen</th></tr></thead><tbody>\n")
	for _, c := range checks {
		value := ""
		if c.Value != nil {
			value = strings.TrimSpace(fmt.Sprintf("%.4g %s", *c.Value, c.Unit))
		}
		fmt.Fprintf(b, "<tr class=\"%s\"><th>%s</th><td>%s</td><td>%s</td><td>%s</td></tr>\n", html.EscapeString(string(c.Status)),
			html.EscapeString(c.Name), html.EscapeString(string(c.Status)), html.EscapeString(value), html.EscapeString(c.Sentence.Text))
	}
	b.WriteString("</tbody></table></section>\n")
}

// moment is a time for people; in which zone they are is not known here.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }
