// Package anomaly says when a series does what it never does: what band its
// history makes one expect, and when values left it.
//
// It learns from what is stored, and needs no settings but an expression. It is
// made to be quiet: what was seen before, at that time of the day or long
// enough, is no anomaly. It raises no alerts by itself. Start with [New] for
// stored series, and with [NewLearner] for values one by one.
package anomaly

import (
	"math"
	"slices"
	"time"
)

const (
	// slot is the time that history is kept by: its lowest, median and highest
	// value.
	slot        = 30 * time.Minute
	slotsPerDay = int(24 * time.Hour / slot)
	// Memory is how far back history counts.
	Memory = memoryDays * 24 * time.Hour
	// memoryDays holds four of each weekday.
	memoryDays = 28
	// Warmup is the least history before anything may be an anomaly.
	Warmup = 2 * 24 * time.Hour
	// warmupDays must be known at a time of the day for it to have a band.
	warmupDays = 7
	// around is how many slots before and after one count as its time of day: what
	// comes every day does not come at the same minute, and shifts by an hour when
	// clocks are changed.
	around = 2
	// beyond is how far outside of everything that was seen a value must be, as a
	// share of the range of what was seen, to be an anomaly at once.
	beyond = 0.15
	// spreads is how many spreads of the days' highest (lowest) values above
	// (below) their median the band of a time of day is.
	spreads = 3
	// leastSpread is the least width of the band beyond that median, as a share of
	// the range.
	leastSpread = 0.25
	// usually is the share of days whose highest (lowest) values are in the band
	// anyway.
	usually = 0.9
	// persistence is how long values must be outside of the band of their time of
	// day. A peak that comes at another time is over by then.
	persistence = 4 * time.Hour
	// settling is after how many slots history takes one in: what goes on must not
	// be normal before somebody has looked.
	settling = int64(2 * time.Hour / slot)
	// silence is how long values may be missing while they count as outside.
	silence = time.Hour
	// flatRange is the least range, as a share of the median, of a series that
	// hardly moves: else its first ripple would be an anomaly.
	flatRange = 0.05
)

// Band is what is expected.
type Band struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func (b Band) contains(v float64) bool { return v >= b.Low && v <= b.High }

// Bands are what history makes one expect. Known is false while there is too
// little of it, Daily while that is so for the time of the day.
type Bands struct {
	// All is the band of everything that was seen, and some more.
	All   Band
	Known bool
	// OfDay is that of the time of the day.
	OfDay Band
	Daily bool
}

// Learner learns one series, in some 75 KB.
//
// Example: a series is 10 at night and 100 by day, give or take 5, for weeks.
// All is then about -10 to 120, so 150 is an anomaly at once. At 03:00, OfDay is
// about -15 to 40: 60 at that time is one after four hours.
type Learner struct {
	slots [memoryDays * slotsPerDay]summary
	// Those that have settled by value, to read quantiles of.
	lows, medians, highs []float64

	first    time.Time
	last     time.Time
	current  int64     // The slot, counted from 1970.
	values   []float64 // Of the current slot.
	bands    Bands
	outSince time.Time // Zero: the last value was within OfDay.
}

// summary is what is kept of a slot. Slot 0 is nothing.
type summary struct {
	slot              int64
	low, median, high float64
	settled           bool // It is in the sorted values too.
}

// NewLearner returns a Learner that has seen nothing.
func NewLearner() *Learner { return &Learner{} }

// Look says what is expected at an instant, whether a value is an anomaly, and
// learns it. Instants must not go back. A value that is not a number is unknown:
// no anomaly, and nothing is learnt from it.
func (l *Learner) Look(at time.Time, v float64) (Bands, bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return l.bands, false
	}
	if n := at.Unix() / int64(slot/time.Second); n != l.current || l.first.IsZero() {
		l.move(n)
		if l.first.IsZero() {
			l.first = at
		}
		l.bands = l.expect(at)
	}
	if at.Sub(l.last) > silence {
		l.outSince = time.Time{}
	}
	l.last = at
	l.values = append(l.values, v)
	return l.bands, l.judge(at, v)
}

func (l *Learner) judge(at time.Time, v float64) bool {
	if !l.bands.Known {
		return false
	}
	if !l.bands.Daily || l.bands.OfDay.contains(v) {
		l.outSince = time.Time{}
	} else if l.outSince.IsZero() {
		l.outSince = at
	}
	return !l.bands.All.contains(v) || !l.outSince.IsZero() && at.Sub(l.outSince) >= persistence
}

// move keeps what the current slot was like, goes to the next one, lets history
// take in what has settled by then, and forgets what is too old.
func (l *Learner) move(next int64) {
	if len(l.values) > 0 {
		slices.Sort(l.values)
		*l.at(l.current) = summary{slot: l.current, low: l.values[0], median: quantile(l.values, 0.5), high: l.values[len(l.values)-1]}
		l.values = l.values[:0]
	}
	for n := max(l.current+1, next-int64(len(l.slots))+1); n <= next; n++ {
		if old := l.at(n); old.settled {
			l.lows, l.medians, l.highs = remove(l.lows, old.low), remove(l.medians, old.median), remove(l.highs, old.high)
		}
		*l.at(n) = summary{}
		if s := l.at(n - settling); s.slot == n-settling && !s.settled {
			s.settled = true
			l.lows, l.medians, l.highs = insert(l.lows, s.low), insert(l.medians, s.median), insert(l.highs, s.high)
		}
	}
	l.current = next
}

func (l *Learner) at(n int64) *summary { return &l.slots[n%int64(len(l.slots))] }

func insert(sorted []float64, v float64) []float64 {
	i, _ := slices.BinarySearch(sorted, v)
	return slices.Insert(sorted, i, v)
}

func remove(sorted []float64, v float64) []float64 {
	i, _ := slices.BinarySearch(sorted, v)
	return slices.Delete(sorted, i, i+1)
}

// expect makes the bands of the slot at an instant.
func (l *Learner) expect(at time.Time) Bands {
	if at.Sub(l.first) < Warmup || len(l.lows) == 0 {
		return Bands{}
	}
	span := max(quantile(l.highs, 0.98)-quantile(l.lows, 0.02), flatRange*math.Abs(quantile(l.medians, 0.5)))
	b := Bands{Known: true, All: Band{l.lows[0] - beyond*span, l.highs[len(l.highs)-1] + beyond*span}}
	b.OfDay, b.Daily = l.expectOfDay(span)
	return b
}

// expectOfDay looks at the same time of the days before.
func (l *Learner) expectOfDay(span float64) (Band, bool) {
	lows, highs := make([]float64, 0, memoryDays), make([]float64, 0, memoryDays)
	for day := 1; day <= memoryDays; day++ {
		low, high := math.Inf(1), math.Inf(-1)
		for near := -around; near <= around; near++ {
			n := l.current - int64(day*slotsPerDay) + int64(near)
			if s := l.at(n); s.slot == n {
				low, high = min(low, s.low), max(high, s.high)
			}
		}
		if high >= low {
			lows, highs = append(lows, low), append(highs, high)
		}
	}
	if len(lows) < warmupDays {
		return Band{}, false
	}
	slices.Sort(lows)
	slices.Sort(highs)
	width := func(sorted []float64) float64 { return max(spreads*deviation(sorted), leastSpread*span) }
	return Band{
		Low:  min(quantile(lows, 1-usually), quantile(lows, 0.5)-width(lows)),
		High: max(quantile(highs, usually), quantile(highs, 0.5)+width(highs)),
	}, true
}

// deviation is the spread of sorted values about their median, on the scale of a
// standard deviation, that outliers do not move.
func deviation(sorted []float64) float64 {
	median := quantile(sorted, 0.5)
	distances := make([]float64, len(sorted))
	for i, v := range sorted {
		distances[i] = math.Abs(v - median)
	}
	slices.Sort(distances)
	return 1.4826 * quantile(distances, 0.5)
}

// quantile reads sorted values, by nearest rank.
func quantile(sorted []float64, share float64) float64 {
	return sorted[int(math.Round(share*float64(len(sorted)-1)))]
}
