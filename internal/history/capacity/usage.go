package capacity

import (
	"math"
	"slices"
	"time"
)

const (
	// nearPeak is how much of the peak still counts as being at it.
	nearPeak = 0.9
	// hoursOfWeek are counted from Monday 00:00 UTC.
	hoursOfWeek = 7 * 24
)

// series are the values of one subject on a grid of instants; NaN is unknown.
type series struct {
	from   time.Time
	step   time.Duration
	values []float64
}

func (s series) at(i int) time.Time { return s.from.Add(time.Duration(i) * s.step) }

// usage is what a series was like.
type usage struct {
	seen            int // Known values.
	first, last     time.Time
	usual, p95, p99 float64
	peak            float64
	peakAt          time.Time
	peakFor         time.Duration
	week            [hoursOfWeek]float64 // Highest value by hour of the week; NaN is unknown.
	hourly          []float64            // Medians by hour since from; NaN is unknown.
	hourlyLow       []float64            // Lowest values by hour.
	newest          float64              // Median of the last hour that is known.
	span            time.Duration        // From the first to the last known value.
	trend           *trend
	leak            *leak
}

// measure looks at a series; ok is false if nothing of it is known.
func measure(s series) (u usage, ok bool) {
	sorted := make([]float64, 0, len(s.values))
	peak := -1
	for i := range u.week {
		u.week[i] = math.NaN()
	}
	for i, v := range s.values {
		if math.IsNaN(v) {
			continue
		}
		sorted = append(sorted, v)
		u.last = s.at(i)
		if peak < 0 {
			u.first = s.at(i)
		}
		if peak < 0 || v > s.values[peak] {
			peak = i
		}
		hour := hourOfWeek(s.at(i))
		if math.IsNaN(u.week[hour]) || v > u.week[hour] {
			u.week[hour] = v
		}
	}
	if peak < 0 {
		return usage{}, false
	}
	slices.Sort(sorted)
	u.seen = len(sorted)
	u.usual, u.p95, u.p99 = quantile(sorted, 0.5), quantile(sorted, 0.95), quantile(sorted, 0.99)
	u.peak, u.peakAt, u.peakFor = s.values[peak], s.at(peak), s.around(peak)
	u.span = u.last.Sub(u.first)
	u.hourly, u.hourlyLow = s.hours()
	for _, v := range u.hourly {
		if !math.IsNaN(v) {
			u.newest = v
		}
	}
	u.trend = findTrend(u.hourly, u.span, u.usual)
	u.leak = findLeak(u.hourlyLow)
	return u, true
}

func hourOfWeek(t time.Time) int {
	t = t.UTC()
	return (int(t.Weekday())+6)%7*24 + t.Hour()
}

// around is how long the series stayed near the peak at i.
func (s series) around(i int) time.Duration {
	low, high := i, i
	for low > 0 && s.values[low-1] >= nearPeak*s.values[i] {
		low--
	}
	for high < len(s.values)-1 && s.values[high+1] >= nearPeak*s.values[i] {
		high++
	}
	return time.Duration(high-low+1) * s.step
}

// hours are the medians and lowest values of each hour.
func (s series) hours() (medians, lows []float64) {
	perHour := max(1, int(time.Hour/s.step))
	var hour []float64
	for chunk := range slices.Chunk(s.values, perHour) {
		hour = hour[:0]
		for _, v := range chunk {
			if !math.IsNaN(v) {
				hour = append(hour, v)
			}
		}
		if len(hour) == 0 {
			medians, lows = append(medians, math.NaN()), append(lows, math.NaN())
			continue
		}
		slices.Sort(hour)
		medians, lows = append(medians, quantile(hour, 0.5)), append(lows, hour[0])
	}
	return medians, lows
}

// quantile reads sorted values, by nearest rank.
func quantile(sorted []float64, share float64) float64 {
	return sorted[int(math.Round(share*float64(len(sorted)-1)))]
}
