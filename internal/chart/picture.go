package chart

import (
	"image"
	"image/color"
	"math"
	"time"

	"golang.org/x/image/font"
)

// A picture is a chart with all its places known.
type picture struct {
	*canvas
	chart   Chart
	colours palette
	// scale is how much larger than usual everything is.
	scale float64
	// omitted is the number of series that are only counted.
	omitted int
	runs    [][][]spot
	legend  legend

	frame  frame
	values []float64
	step   float64
	times  []timeTick
}

// newPicture lays the chart out: the header on top, the legend at the bottom, and
// what is left is the plot with its axes.
func newPicture(c Chart) (*picture, error) {
	p := &picture{chart: c, colours: c.Theme.colours()}
	p.scale = min(float64(c.Width)/DefaultWidth, float64(c.Height)/DefaultHeight)
	p.scale = max(p.scale, 0.75) // Smaller text cannot be read.
	var err error
	if p.canvas, err = newCanvas(c.Width, c.Height, p.colours.ground, p.scale); err != nil {
		return nil, err
	}
	p.omitted = max(0, len(c.Series)-MaxSeries)
	p.chart.Series = c.Series[:len(c.Series)-p.omitted]
	p.frame = frame{from: c.From, to: c.To, values: valueSpan(p.chart.Series, c.Thresholds, c.From, c.To)}
	p.frame.top, p.frame.right = float32(p.px(46)), float32(c.Width-p.px(20))
	p.legend = p.layLegend()
	p.frame.bottom = float32(max(c.Height-p.px(29)-p.legend.height(), p.px(46)+1))

	n := int(float64(p.frame.bottom-p.frame.top) / (26 * p.scale))
	p.values, p.step = p.frame.values.ticks(max(n, 2), c.Unit)
	p.frame.left = float32(p.px(12)) + p.labelWidth() + float32(p.px(8))
	p.frame.left = min(float32(math.Round(float64(p.frame.left))), p.frame.right-1)
	n = int(float64(p.frame.right-p.frame.left) / (68 * p.scale))
	p.times = timeTicks(c.From, c.To, c.Zone, n)

	for _, s := range p.chart.Series {
		p.runs = append(p.runs, p.frame.runs(s.Points, c.Step))
	}
	return p, nil
}

// px is a length of the usual size in pixels of this picture.
func (p *picture) px(v float64) int { return max(1, int(math.Round(v*p.scale))) }

func (p *picture) valueTick(v float64) string {
	s := p.frame.values
	return tick(v, p.step, p.chart.Unit.magnitude(max(math.Abs(s.lo), math.Abs(s.hi))))
}

// labelWidth is that of the widest label of the axis of values.
func (p *picture) labelWidth() (widest float32) {
	for _, v := range p.values {
		widest = max(widest, p.width(p.label, p.valueTick(v)))
	}
	for _, t := range p.chart.Thresholds {
		widest = max(widest, p.width(p.strong, p.chart.Unit.Format(t.Value)))
	}
	return widest
}

// draw paints from the back to the front.
func (p *picture) draw() {
	p.drawHeader()
	p.drawZones()
	p.drawGrid()
	p.drawBreaches()
	p.drawThresholds()
	p.drawSeries()
	p.drawMark()
	p.drawLegend(p.legend)
}

func (p *picture) plot() image.Rectangle {
	f := p.frame
	return image.Rect(int(f.left), int(f.top), int(f.right), int(f.bottom))
}

func (p *picture) drawHeader() {
	const baseline = 23
	from, to := p.chart.From.In(p.chart.Zone), p.chart.To.In(p.chart.Zone)
	date := to.Format("2 Jan 2006 MST")
	if from.YearDay() != to.YearDay() || from.Year() != to.Year() {
		date = from.Format("2 Jan – ") + date
	}
	edge := float32(p.px(12))
	room := float32(p.chart.Width) - 2*edge
	if used := p.width(p.label, date); used < room/2 {
		p.text(p.label, date, p.frame.right, p.px(baseline), right, p.colours.faint)
		room -= used + float32(p.px(16))
	}
	p.text(p.title, p.fit(p.title, p.chart.Title, room), edge, p.px(baseline), left, p.colours.text)
}

// drawZones tints where a value is a breach.
func (p *picture) drawZones() {
	for _, t := range p.chart.Thresholds {
		if !finite(t.Value) || t.Side == Neither {
			continue
		}
		zone, y := p.plot(), round(p.frame.y(t.Value))
		if t.Side == Above {
			zone.Max.Y = y
		} else {
			zone.Min.Y = y
		}
		p.box(zone, faded(p.colours.alarm, 0.07))
	}
}

func (p *picture) drawGrid() {
	plot, thin := p.plot(), p.px(1)
	var taken []int
	for _, t := range p.chart.Thresholds {
		if finite(t.Value) {
			taken = append(taken, round(p.frame.y(t.Value)))
		}
	}
	for _, v := range p.values {
		y := round(p.frame.y(v))
		p.box(image.Rect(plot.Min.X, y, plot.Max.X, y+thin), p.colours.grid)
		if !near(taken, y, p.px(13)) {
			p.valueLabel(p.label, p.valueTick(v), y, p.colours.faint)
		}
	}
	p.box(image.Rect(plot.Min.X, plot.Max.Y, plot.Max.X, plot.Max.Y+thin), p.colours.axis)
	for _, t := range p.times {
		x := p.frame.x(t.at)
		half := p.width(p.label, t.text) / 2
		if x-half < 0 || x+half > float32(p.chart.Width) {
			continue
		}
		p.box(image.Rect(round(x), plot.Max.Y, round(x)+thin, plot.Max.Y+p.px(5)), p.colours.axis)
		p.text(p.label, t.text, x, plot.Max.Y+p.px(18), middle, p.colours.faint)
	}
}

func (p *picture) valueLabel(face font.Face, s string, y int, col color.NRGBA) {
	p.text(face, s, p.frame.left-float32(p.px(8)), y+p.px(4), right, col)
}

// drawThresholds draws the dashed lines, with the value on the axis.
func (p *picture) drawThresholds() {
	plot := p.plot()
	var taken []int
	for _, t := range p.chart.Thresholds {
		if !finite(t.Value) {
			continue
		}
		col := p.colours.alarm
		if t.Side == Neither {
			col = p.colours.faint
		}
		y, thick := round(p.frame.y(t.Value)), p.px(1.5)
		for x := plot.Min.X; x < plot.Max.X; x += p.px(9) {
			p.box(image.Rect(x, y-thick/2, min(x+p.px(5), plot.Max.X), y-thick/2+thick), col)
		}
		if !near(taken, y, p.px(13)) {
			p.valueLabel(p.strong, p.chart.Unit.Format(t.Value), y, col)
			taken = append(taken, y)
		}
	}
}

// drawBreaches fills what lies between a line and the threshold that it breaches.
func (p *picture) drawBreaches() {
	for _, t := range p.chart.Thresholds {
		if !finite(t.Value) || t.Side == Neither {
			continue
		}
		p.polygon(p.plot(), faded(p.colours.alarm, 0.22), func(to path) {
			for _, runs := range p.runs {
				for _, run := range runs {
					to.outline(beyond(run, p.frame.y(t.Value), t.Side)...)
				}
			}
		})
	}
}

// beyond is the outline of what a run encloses with a threshold at y: the run,
// held back to the threshold where it is on the good side, and straight back.
func beyond(run []spot, y float32, side Side) []spot {
	hold := func(at float32) float32 {
		if side == Above {
			return min(at, y) // Up is towards zero.
		}
		return max(at, y)
	}
	var outline []spot
	for i, b := range run {
		if i > 0 {
			a := run[i-1]
			if (a.y < y) != (b.y < y) && a.y != b.y {
				outline = append(outline, spot{a.x + (b.x-a.x)*(y-a.y)/(b.y-a.y), y})
			}
		}
		outline = append(outline, spot{b.x, hold(b.y)})
	}
	return append(outline, spot{run[len(run)-1].x, y}, spot{run[0].x, y})
}

func (p *picture) drawSeries() {
	width := float32(1.75 * p.scale)
	empty := true
	for i, runs := range p.runs {
		empty = empty && len(runs) == 0
		if len(p.runs) == 1 {
			p.shade(runs, p.colour(i))
		}
		around := p.plot().Inset(-p.px(3)) // Half of a line at the edge is outside.
		p.polygon(around, p.colour(i), func(to path) {
			for _, run := range runs {
				if len(run) == 1 {
					to.disc(run[0], width)
				}
				to.stroke(run, width)
			}
		})
	}
	if empty {
		const text = "no data in this time"
		center := p.plot().Min.Add(p.plot().Max).Div(2)
		half := image.Pt(round(p.width(p.label, text)/2)+p.px(10), p.px(11))
		p.pill(image.Rectangle{center.Sub(half), center.Add(half)}, p.colours.grid)
		p.text(p.label, text, float32(center.X), center.Y+p.px(4), middle, p.colours.text)
	}
}

// shade tints what is under a line.
func (p *picture) shade(runs [][]spot, col color.NRGBA) {
	p.polygon(p.plot(), faded(col, 0.10), func(to path) {
		ground := p.frame.y(0)
		for _, run := range runs {
			to.outline(append([]spot{{run[0].x, ground}}, append(run, spot{run[len(run)-1].x, ground})...)...)
		}
	})
}

func (p *picture) colour(series int) color.NRGBA {
	return p.colours.series[series%len(p.colours.series)]
}

// drawMark shows when the threshold was breached, and by which series.
func (p *picture) drawMark() {
	at := p.chart.Breach
	if at.Before(p.chart.From) || at.After(p.chart.To) {
		return
	}
	x, plot := p.frame.x(at), p.plot()
	p.box(image.Rect(round(x), plot.Min.Y, round(x)+p.px(1), plot.Max.Y), faded(p.colours.alarm, 0.75))
	for i, s := range p.chart.Series {
		if v, ok := p.breaching(s, at); ok {
			spot := spot{x, p.frame.y(v)}
			around := image.Rect(round(x), round(spot.y), round(x), round(spot.y)).Inset(-p.px(8))
			p.polygon(around, p.colours.ground, func(to path) { to.disc(spot, float32(5*p.scale)) })
			p.polygon(around, p.colour(i), func(to path) { to.disc(spot, float32(3.5*p.scale)) })
		}
	}
	text := at.In(p.chart.Zone).Format("15:04:05")
	half := round(p.width(p.strong, text)/2) + p.px(7)
	center := max(half, min(round(x), p.chart.Width-half))
	p.pill(image.Rect(center-half, plot.Min.Y-p.px(18), center+half, plot.Min.Y-p.px(1)), p.colours.alarm)
	p.text(p.strong, text, float32(center), plot.Min.Y-p.px(5), middle, p.colours.onAlarm)
}

// breaching is the value of the series' first point at or after an instant, if it
// is a breach and not from much later.
func (p *picture) breaching(s Series, at time.Time) (float64, bool) {
	const far = 0.02 // Of the picture's width.
	late := at.Add(time.Duration(far * float64(p.chart.To.Sub(p.chart.From))))
	for _, point := range s.Points {
		if point.At.Before(at) {
			continue
		}
		if point.At.After(late) || point.At.After(p.chart.To) {
			break
		}
		return point.Value, p.isBreach(point.Value)
	}
	return 0, false
}

func (p *picture) isBreach(v float64) bool {
	for _, t := range p.chart.Thresholds {
		if finite(v) && t.Breached(v) {
			return true
		}
	}
	return false
}

func near(taken []int, y, distance int) bool {
	for _, t := range taken {
		if max(t-y, y-t) < distance {
			return true
		}
	}
	return false
}

func round(v float32) int { return int(math.Round(float64(v))) }
