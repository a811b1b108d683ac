package health

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// A drawing has no text: it is stretched to the room there is, and text would be
// stretched with it, on a phone until nobody can read it.
const (
	drawn      = 1000        // its width, in units of its own
	apart      = time.Minute // steps with more than that between them are drawn by themselves
	leastShown = 4           // of a bar
)

// writeSteps draws the steps as waterfalls: those of the boot, and those that
// came later, as when a volume was attached.
func writeSteps(b *strings.Builder, steps []Step) {
	if len(steps) == 0 {
		return
	}
	b.WriteString("<section><h2>What was done since boot</h2>\n")
	begin, last := 0, steps[0].Start
	for i, s := range steps {
		if s.Start.Sub(last) > apart {
			b.WriteString(waterfall(steps[begin:i]))
			begin = i
		}
		if end := s.Start.Add(s.Duration); end.After(last) {
			last = end
		}
	}
	b.WriteString(waterfall(steps[begin:]) + "</section>\n")
}

// waterfall draws each step as a bar from its begin to its end.
func waterfall(steps []Step) string {
	first, total := span(steps)
	at := func(d time.Duration) float64 { return drawn * min(max(d.Seconds()/total.Seconds(), 0), 1) }
	var b strings.Builder
	fmt.Fprintf(&b, "<p class=\"dim\">from %s, in %s</p>\n<ol class=\"steps\">\n", moment(first), seconds(total.Seconds()))
	for _, s := range steps {
		from, to := at(s.Start.Sub(first)), at(s.Start.Add(s.Duration).Sub(first))
		width := max(to-from, leastShown)
		fmt.Fprintf(&b, "<li><span>%s</span><svg viewBox=\"0 0 %d 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"%.1f\" width=\"%.1f\" height=\"8\"/></svg><span>%s</span></li>\n",
			whole(s.Name), drawn, min(from, drawn-width), width, seconds(s.Duration.Seconds()))
	}
	return b.String() + "</ol>\n"
}

// span is when the first step began, and how long it was until the last one
// ended.
func span(steps []Step) (first time.Time, total time.Duration) {
	first, last := steps[0].Start, steps[0].Start
	for _, s := range steps {
		if s.Start.Before(first) {
			first = s.Start
		}
		if end := s.Start.Add(s.Duration); end.After(last) {
			last = end
		}
	}
	return first, max(last.Sub(first), time.Millisecond)
}

// writeSeries draws each measurement over time, with what was expected beside it.
func writeSeries(b *strings.Builder, all []Series) {
	var charts strings.Builder
	for _, s := range all {
		charts.WriteString(chart(s))
	}
	if charts.Len() > 0 {
		b.WriteString("<section><h2>Disk latency</h2>\n<p class=\"key\"><span class=\"value\">measured</span> <span class=\"base\">usual at like load</span></p>\n<div class=\"charts\">\n" +
			charts.String() + "</div></section>\n")
	}
}

// chart draws one; nothing of what was never measured twice.
func chart(s Series) string {
	highest := 0.0
	for _, list := range [][]float64{s.Values, s.Baseline} {
		for _, v := range list {
			highest = max(highest, v)
		}
	}
	if len(s.Values) < 2 || highest <= 0 {
		return ""
	}
	top := round(highest)
	now := quantity(s.Values[len(s.Values)-1], s.Unit)
	if n := len(s.Baseline); n > 0 && s.Baseline[n-1] > 0 {
		now += ", usually " + quantity(s.Baseline[n-1], s.Unit)
	}
	end := s.Start.Add(s.Step * time.Duration(len(s.Values)-1))
	return fmt.Sprintf("<figure><figcaption>%s <span>%s</span></figcaption>\n", whole(s.Title), now) +
		fmt.Sprintf("<div class=\"plot\"><p><span>%s</span><span>%s</span><span>0</span></p>\n", quantity(top, s.Unit), quantity(top/2, s.Unit)) +
		fmt.Sprintf("<svg viewBox=\"0 0 %d 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"grid\" d=\"M0 0H%[1]dM0 50H%[1]dM0 100H%[1]d\"/>", drawn) +
		line("base", s.Baseline, top) + line("value", s.Values, top) + "</svg></div>\n" +
		fmt.Sprintf("<p class=\"axis\"><span>%s</span><span>%s UTC</span></p></figure>\n", s.Start.UTC().Format("15:04"), end.UTC().Format("15:04"))
}

// line draws values up to top; those below 0 are gaps.
func line(class string, values []float64, top float64) string {
	var b strings.Builder
	pen := 'M'
	for i, v := range values {
		if v < 0 {
			pen = 'M'
			continue
		}
		fmt.Fprintf(&b, "%c%.1f %.1f", pen, drawn*float64(i)/float64(len(values)-1), 100*(1-v/top))
		if pen == 'M' {
			b.WriteString("h0") // a point alone is a dot
		}
		pen = 'L'
	}
	return fmt.Sprintf("<path class=\"%s\" d=\"%s\"/>", class, b.String())
}

// round is the next of 1, 2, 4, 6, 8, 10 and their tenfolds, whose halves people can
// read as well.
func round(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 4, 6, 8} {
		if v <= n*unit {
			return n * unit
		}
	}
	return 10 * unit
}

// quantity is a value of the unit, as short as people read it.
func quantity(v float64, unit string) string {
	if unit == "seconds" {
		return seconds(v)
	}
	return html.EscapeString(fmt.Sprintf("%.3g %s", v, unit))
}

func seconds(s float64) string {
	switch {
	case s >= 120:
		return fmt.Sprintf("%.0f min", s/60)
	case s >= 1 || s == 0:
		return fmt.Sprintf("%.3g s", s)
	case s >= 1e-3:
		return fmt.Sprintf("%.3g ms", s*1e3)
	}
	return fmt.Sprintf("%.3g µs", s*1e6)
}
