package chart

import (
	"fmt"
	"image"
	"time"
)

// A legend is a grid of entries in columns of one width.
type legend struct {
	entries       []entry
	columns, rows int
	cell, line    int
}

type entry struct {
	series      int
	name, value string
	// breach is set when the last value is one.
	breach bool
}

func (l legend) height() int { return l.rows * l.line }

// layLegend gives each series a cell, as wide as the widest needs, and at most a
// third of the picture's height to all.
func (p *picture) layLegend() legend {
	l := legend{line: p.px(18)}
	room := p.chart.Width - 2*p.px(12)
	widest := 0
	for i, s := range p.chart.Series {
		e := entry{series: i}
		e.value, e.breach = p.lastValue(s)
		// Half of the width is enough for a name, and two columns fit.
		limit := float32(room/2-p.px(legendAir)) - p.width(p.strong, e.value)
		e.name = p.fit(p.label, s.Name, limit)
		widest = max(widest, int(p.width(p.label, e.name)+p.width(p.strong, e.value))+p.px(legendAir))
		l.entries = append(l.entries, e)
	}
	if len(l.entries) == 0 {
		return l
	}
	l.columns = max(1, room/widest)
	l.cell = room / l.columns
	l.rows = (len(l.entries) + l.columns - 1) / l.columns
	l.rows = min(l.rows, max(1, p.chart.Height/3/l.line))
	if most := l.rows * l.columns; len(l.entries) > most || p.omitted > 0 {
		kept := min(len(l.entries), max(most-1, 0))
		more := len(l.entries) - kept + p.omitted
		l.entries = append(l.entries[:kept], entry{series: -1, name: fmt.Sprintf("and %d more", more)})
	}
	return l
}

// legendAir is the room of the swatch and of the distances in an entry.
const legendAir = 14 + 6 + 6 + 14

// lastValue is the newest value, with its time where it is not from the end.
func (p *picture) lastValue(s Series) (text string, breach bool) {
	var last Point
	for _, point := range s.Points {
		if finite(point.Value) && !point.At.Before(p.chart.From) && !point.At.After(p.chart.To) && point.At.After(last.At) {
			last = point
		}
	}
	if last.At.IsZero() {
		return "–", false
	}
	text = p.chart.Unit.Format(last.Value)
	const old = 0.05 // Of the picture's width.
	if p.chart.To.Sub(last.At) > time.Duration(old*float64(p.chart.To.Sub(p.chart.From))) {
		text += " at " + last.At.In(p.chart.Zone).Format("15:04")
	}
	return text, p.isBreach(last.Value)
}

func (p *picture) drawLegend(l legend) {
	top := p.chart.Height - p.px(5) - l.height()
	for i, e := range l.entries {
		x := p.px(12) + i%l.columns*l.cell
		baseline := top + i/l.columns*l.line + p.px(13)
		if e.series < 0 {
			p.text(p.label, e.name, float32(x), baseline, left, p.colours.faint)
			continue
		}
		y := baseline - p.px(4)
		p.pill(image.Rect(x, y-p.px(2), x+p.px(14), y-p.px(2)+p.px(4)), p.colour(e.series))
		at := float32(x + p.px(14+6))
		p.text(p.label, e.name, at, baseline, left, p.colours.faint)
		at += p.width(p.label, e.name) + float32(p.px(6))
		col := p.colours.text
		if e.breach {
			col = p.colours.alarm
		}
		p.text(p.strong, e.value, at, baseline, left, col)
	}
}
