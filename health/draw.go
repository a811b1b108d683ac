package health

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// Of both drawings, in units that the page scales to its width.
const (
	drawingWidth = 800
	labelWidth   = 230
	rowHeight    = 18
)

// waterfall draws the steps, each as a bar from its begin to its end.
func waterfall(steps []Step) string {
	first, total := span(steps)
	room := float64(drawingWidth - labelWidth - 60)
	at := func(d time.Duration) float64 {
		return labelWidth + room*math.Min(math.Max(d.Seconds()/total.Seconds(), 0), 1)
	}
	height := rowHeight * (len(steps) + 1)
	var b strings.Builder
	fmt.Fprintf(&b, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"steps and how long they took\">\n", drawingWidth, height)
	for i := range 5 {
		d := total * time.Duration(i) / 4
		fmt.Fprintf(&b, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/><text class=\"dim\" x=\"%.1f\" y=\"12\">%s</text>\n",
			at(d), at(d), rowHeight, height, at(d)+2, seconds(d.Seconds()))
	}
	for i, s := range steps {
		y := rowHeight * (i + 1)
		from, to := at(s.Start.Sub(first)), at(s.Start.Add(s.Duration).Sub(first))
		fmt.Fprintf(&b, "<text x=\"0\" y=\"%d\">%s</text><rect class=\"bar\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/><text class=\"dim\" x=\"%.1f\" y=\"%d\">%s</text>\n",
			y+13, html.EscapeString(cut(s.Name, 34)), from, y+4, math.Max(to-from, 1.5), rowHeight-6, to+5, y+13, seconds(s.Duration.Seconds()))
	}
	return b.String() + "</svg>\n"
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

// writeSeries draws a measurement over time, with what was expected beside it.
func writeSeries(b *strings.Builder, s Series) {
	top := 0.0
	for _, list := range [][]float64{s.Values, s.Baseline} {
		for _, v := range list {
			top = math.Max(top, v)
		}
	}
	if len(s.Values) < 2 || top <= 0 {
		return
	}
	const height, bottom = 150.0, 130.0
	fmt.Fprintf(b, "<section><h2>%s</h2>\n<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"%s over time\">\n", html.EscapeString(s.Title), drawingWidth, height, html.EscapeString(s.Title))
	for i := range 3 {
		v := top * float64(i) / 2
		y := bottom - (bottom-15)*float64(i)/2
		fmt.Fprintf(b, "<line class=\"grid\" x1=\"60\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"dim\" x=\"0\" y=\"%.1f\">%s</text>\n",
			drawingWidth, y, y, y+4, quantity(v, s.Unit))
	}
	line := func(class string, values []float64) {
		if len(values) < 2 {
			return
		}
		fmt.Fprintf(b, "<path class=\"%s\" d=\"", class)
		pen := "M"
		for i, v := range values {
			if v < 0 {
				pen = "M" // a gap
				continue
			}
			x := 60 + float64(drawingWidth-60)*float64(i)/float64(len(values)-1)
			fmt.Fprintf(b, "%s%.1f %.1f", pen, x, bottom-(bottom-15)*v/top)
			pen = "L"
		}
		b.WriteString("\"/>\n")
	}
	line("base", s.Baseline)
	line("value", s.Values)
	end := s.Start.Add(s.Step * time.Duration(len(s.Values)-1))
	fmt.Fprintf(b, "<text class=\"dim\" x=\"60\" y=\"%.0f\">%s</text><text class=\"dim\" x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n</svg></section>\n",
		height-4, moment(s.Start), drawingWidth, height-4, moment(end))
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
