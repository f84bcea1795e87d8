// Package chart draws series as PNG pictures for notifications and reports: the
// lines, the thresholds that an alert compares them with, and when it was
// breached. It needs no browser and no font of the machine.
//
// It knows nothing of queries or alerts; who asks for a picture brings the
// points. Equal charts make equal bytes. Start with [Render].
package chart

import (
	"fmt"
	"image/png"
	"io"
	"math"
	"time"
)

// Bounds of a chart. Series beyond MaxSeries are only counted in the legend; what
// is more than the others is an error.
const (
	MaxSeries     = 20
	MaxPoints     = 20_000 // Of one series.
	MaxThresholds = 8
	MaxSide       = 2400
	minSide       = 80
	maxYears      = 100
)

// The size of a chart that asks for none.
const (
	DefaultWidth  = 600
	DefaultHeight = 240
)

// Chart is what to draw.
type Chart struct {
	Title string
	// Width and Height are in pixels. Text and lines grow with them: twice the
	// size is the same picture for a screen with twice the density.
	Width, Height int
	Theme         Theme
	// Unit is that of all values and thresholds.
	Unit Unit
	// Zone is where the clock of the time axis is; nil is UTC.
	Zone     *time.Location
	From, To time.Time
	// Step is the usual time between two points of a series. Those more than one
	// and a half steps apart are not joined. Zero takes it from the points.
	Step       time.Duration
	Series     []Series
	Thresholds []Threshold
	// Breach is when a threshold was breached; the zero time marks nothing.
	Breach time.Time
}

// Series is one line.
type Series struct {
	Name string
	// Points are in the order of time; a point that is not after the one before
	// is left out. NaN and infinities interrupt the line.
	Points []Point
}

// Point is a value at an instant.
type Point struct {
	At    time.Time
	Value float64
}

// Threshold is a value that others are compared with.
type Threshold struct {
	Value float64
	Side  Side
}

// Side is where a value breaches a threshold.
type Side int

// The sides of a threshold.
const (
	Above   Side = iota // Values above it are a breach.
	Below               // Values below it are.
	Neither             // A line to compare with.
)

// Breached is false for NaN, and on the threshold itself.
func (t Threshold) Breached(v float64) bool {
	return t.Side == Above && v > t.Value || t.Side == Below && v < t.Value
}

// Render writes the chart as PNG. A chart without points says so in the picture;
// an error is one of w, or of a chart that makes no sense.
func Render(w io.Writer, c Chart) error {
	if c.Width == 0 && c.Height == 0 {
		c.Width, c.Height = DefaultWidth, DefaultHeight
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if err := c.validate(); err != nil {
		return fmt.Errorf("draw chart: %w", err)
	}
	p, err := newPicture(c)
	if err != nil {
		return fmt.Errorf("draw chart: %w", err)
	}
	p.draw()
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	return encoder.Encode(w, p.img)
}

func (c Chart) validate() error {
	if min(c.Width, c.Height) < minSide || max(c.Width, c.Height) > MaxSide {
		return fmt.Errorf("%d × %d pixels; width and height are %d to %d", c.Width, c.Height, minSide, MaxSide)
	}
	if c.Theme < Dark || c.Theme > Light {
		return fmt.Errorf("unknown theme %d; use Dark or Light", c.Theme)
	}
	if c.Unit < Short || c.Unit > Ratio {
		return fmt.Errorf("unknown unit %d; use one of the constants", c.Unit)
	}
	if c.To.Sub(c.From) < time.Millisecond {
		return fmt.Errorf("nothing lies between %s and %s; To must be after From", c.From, c.To)
	}
	if c.To.After(c.From.AddDate(maxYears, 0, 0)) {
		return fmt.Errorf("from %s to %s are more than %d years", c.From, c.To, maxYears)
	}
	if len(c.Thresholds) > MaxThresholds {
		return fmt.Errorf("%d thresholds; draw at most %d", len(c.Thresholds), MaxThresholds)
	}
	for _, s := range c.Series {
		if len(s.Points) > MaxPoints {
			return fmt.Errorf("series %q has %d points; use a longer step, for at most %d", s.Name, len(s.Points), MaxPoints)
		}
	}
	return nil
}

// finite says whether a value has a place on an axis.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
