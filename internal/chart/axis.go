package chart

import (
	"math"
	"time"
)

// A span is what an axis of values shows.
type span struct{ lo, hi float64 }

// Values are cut off where the arithmetic of a span would leave the floats.
const (
	farthest = 1e250
	nearest  = 1e-250
)

// valueSpan holds all values and thresholds, with some air around them.
func valueSpan(series []Series, thresholds []Threshold, from, to time.Time) span {
	s := span{math.Inf(1), math.Inf(-1)}
	include := func(v float64) {
		if finite(v) {
			if v = max(-farthest, min(farthest, v)); math.Abs(v) < nearest {
				v = 0
			}
			s.lo, s.hi = min(s.lo, v), max(s.hi, v)
		}
	}
	for _, one := range series {
		for _, p := range one.Points {
			if !p.At.Before(from) && !p.At.After(to) {
				include(p.Value)
			}
		}
	}
	for _, t := range thresholds {
		include(t.Value)
	}
	if s.lo > s.hi {
		return span{0, 1}
	}
	return s.widened()
}

func (s span) widened() span {
	const (
		air = 0.08
		// What floats can tell apart, with room for the ticks between.
		finest = 1e-9
	)
	onGround := s.lo >= 0 && (s.lo <= s.hi/2 || s.lo == s.hi)
	size := max(s.hi-s.lo, finest*max(math.Abs(s.lo), math.Abs(s.hi)))
	if s.lo == s.hi {
		if size = math.Abs(s.hi); size == 0 {
			size = 1
		}
	}
	wide := span{s.lo - air*size, s.hi + air*size}
	switch {
	case onGround:
		wide.lo = 0 // Where zero is near it is shown.
	case s.lo >= 0:
		wide.lo = max(0, wide.lo) // What cannot be negative gets no such ticks.
	}
	return wide
}

// ticks returns at most n round values within the span, and their distance.
func (s span) ticks(n int, u Unit) (values []float64, step float64) {
	m := u.magnitude(max(math.Abs(s.lo), math.Abs(s.hi))).size
	step = roundUp((s.hi-s.lo)/m/float64(max(n, 1))) * m
	first := math.Ceil(s.lo / step)
	for i := 0; i <= n; i++ {
		v := (first + float64(i)) * step
		if v > s.hi || len(values) > 0 && v <= values[len(values)-1] {
			break
		}
		values = append(values, v)
	}
	return values, step
}

// roundUp returns the next of 1, 2, 2.5 and 5 times a power of ten.
func roundUp(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*power >= v {
			return f * power
		}
	}
	return 10 * power
}

// A timeTick is a label on the time axis.
type timeTick struct {
	at   time.Time
	text string
}

// timeTicks returns at most n round times of the clock of the zone.
func timeTicks(from, to time.Time, zone *time.Location, n int) []timeTick {
	n = max(n, 1)
	length := to.Sub(from)
	for _, step := range clockSteps() {
		if length/step < time.Duration(n) {
			return clockTicks(from, to, zone, step)
		}
	}
	const day = 24 * time.Hour
	days := 1
	for ; length/day/time.Duration(days) >= time.Duration(n); days *= 2 {
	}
	return dayTicks(from, to, zone, days)
}

func clockSteps() []time.Duration {
	return []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	}
}

// clockTicks counts on the wall clock from midnight, so that 12:00 stays 12:00
// on the days on which clocks change.
func clockTicks(from, to time.Time, zone *time.Location, step time.Duration) (ticks []timeTick) {
	format := "15:04"
	if step < time.Minute {
		format = "15:04:05"
	}
	year, month, day := from.In(zone).Date()
	hour, minute, second := from.In(zone).Clock()
	seconds := int(step / time.Second)
	last := from.Add(-1)
	for i := (hour*3600 + minute*60 + second) / seconds; ; i++ {
		at := time.Date(year, month, day, 0, 0, i*seconds, 0, zone)
		if at.After(to) {
			return ticks
		}
		if !at.After(last) {
			continue // Before the start, or the hour that comes twice.
		}
		last = at
		text := at.Format(format)
		if text == "00:00" {
			text = at.Format("2 Jan")
		}
		ticks = append(ticks, timeTick{at, text})
	}
}

func dayTicks(from, to time.Time, zone *time.Location, days int) (ticks []timeTick) {
	format := "2 Jan"
	if to.Sub(from) > 300*24*time.Hour {
		format = "Jan 2006"
	}
	year, month, day := from.In(zone).Date()
	for i := 1; ; i++ {
		at := time.Date(year, month, day+i*days, 0, 0, 0, 0, zone)
		if at.After(to) {
			return ticks
		}
		ticks = append(ticks, timeTick{at, at.Format(format)})
	}
}
