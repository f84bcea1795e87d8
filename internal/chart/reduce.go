package chart

import (
	"slices"
	"time"
)

// A spot is a place in the picture.
type spot struct{ x, y float32 }

// A frame turns instants and values into places of the plot.
type frame struct {
	left, top, right, bottom float32
	from, to                 time.Time
	values                   span
}

func (f frame) x(at time.Time) float32 {
	share := float64(at.Sub(f.from)) / float64(f.to.Sub(f.from))
	return f.left + float32(share*float64(f.right-f.left))
}

func (f frame) y(v float64) float32 {
	v = max(f.values.lo, min(f.values.hi, v))
	share := (v - f.values.lo) / (f.values.hi - f.values.lo)
	return f.bottom - float32(share*float64(f.bottom-f.top))
}

// runs are the unbroken pieces of a series. Of the points that share a column of
// pixels the first, the least, the greatest and the last remain, in their order:
// the picture is that of all points, and its cost that of its width.
func (f frame) runs(points []Point, step time.Duration) (runs [][]spot) {
	if step <= 0 {
		step = usualStep(points)
	}
	longest := step + step/2
	var run []spot
	var here column
	var last time.Time
	end := func() {
		if run = here.appendTo(run); len(run) > 0 {
			runs = append(runs, run)
		}
		run, here = nil, column{}
	}
	for _, p := range points {
		if p.At.Before(f.from) || p.At.After(f.to) || !last.IsZero() && !p.At.After(last) {
			continue
		}
		if !last.IsZero() && p.At.Sub(last) > longest {
			end()
		}
		last = p.At
		if !finite(p.Value) {
			end()
			continue
		}
		at := spot{f.x(p.At), f.y(p.Value)}
		if here.n > 0 && int(at.x) != int(here.first.x) {
			run = here.appendTo(run)
			here = column{}
		}
		here.add(at)
	}
	end()
	return runs
}

// A column is the points that share a column of pixels.
type column struct {
	n                       int
	first, least, most, now spot
	// leastAt and mostAt say which of the two came first.
	leastAt, mostAt int
}

func (c *column) add(p spot) {
	if c.n == 0 {
		c.first, c.least, c.most = p, p, p
	}
	if p.y < c.least.y {
		c.least, c.leastAt = p, c.n
	}
	if p.y > c.most.y {
		c.most, c.mostAt = p, c.n
	}
	c.now = p
	c.n++
}

func (c *column) appendTo(run []spot) []spot {
	if c.n == 0 {
		return run
	}
	between := []spot{c.least, c.most}
	if c.mostAt < c.leastAt {
		between = []spot{c.most, c.least}
	}
	start := len(run)
	for _, p := range [...]spot{c.first, between[0], between[1], c.now} {
		if len(run) == start || run[len(run)-1] != p {
			run = append(run, p)
		}
	}
	return run
}

// usualStep is the median time between two points.
func usualStep(points []Point) time.Duration {
	steps := make([]time.Duration, 0, len(points))
	for i := 1; i < len(points); i++ {
		if d := points[i].At.Sub(points[i-1].At); d > 0 {
			steps = append(steps, d)
		}
	}
	if len(steps) == 0 {
		return 0
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}
