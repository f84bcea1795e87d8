package capacity

import (
	"math"
	"slices"
	"time"
)

const (
	week = 7 * 24 * time.Hour
	// minTrend is the least time that shows a trend: two days, held against each
	// other. With two weeks, weeks are.
	minTrend = 2 * 24 * time.Hour
	// agreeing is the share of pairs that must point the same way, less those
	// that point the other way.
	agreeing = 0.6
	// worthSaying is the least change per week, as a share of what is usual.
	worthSaying = 0.02
)

// trend is what a series gains in a week.
type trend struct {
	perWeek float64
}

// findTrend compares hours that are whole days, or weeks, apart, so that neither
// night nor Sunday looks like a trend, and takes the median of all slopes, so
// that no outage or peak does (Theil and Sen). nil: there is none to speak of.
//
// Example: hours of two days [10 20 11 21] at a period of 2 make the slopes
// (11-10)/2 and (21-20)/2: 0.5 an hour.
func findTrend(hourly []float64, span time.Duration, usual float64) *trend {
	period := 24
	switch {
	case span < minTrend-time.Hour:
		return nil
	case span >= 2*week:
		period = hoursOfWeek
	}
	var slopes []float64
	up, down := 0, 0
	for i := range hourly {
		for j := i + period; j < len(hourly); j += period {
			slope := (hourly[j] - hourly[i]) / float64(j-i)
			switch {
			case math.IsNaN(slope):
				continue
			case slope > 0:
				up++
			case slope < 0:
				down++
			}
			slopes = append(slopes, slope)
		}
	}
	if len(slopes) < period/2 || math.Abs(float64(up-down)) < agreeing*float64(len(slopes)) {
		return nil
	}
	slices.Sort(slopes)
	t := &trend{quantile(slopes, 0.5) * hoursOfWeek}
	if math.Abs(t.perWeek) < worthSaying*math.Abs(usual) {
		return nil
	}
	return t
}

const (
	// restartDrop is how far memory falls when a process starts anew.
	restartDrop = 0.7
	// minLeak is how many hours must show it.
	minLeak = 24
	// rising is the share of pairs of hours in which the later one is higher,
	// less the others (Kendall). A daily pattern has about 0, a leak nearly 1.
	rising = 0.9
	// leakGrowth is the least growth between two restarts.
	leakGrowth = 0.1
	// settles is the share of its early growth that a cache no longer has when
	// it is full; a leak goes on.
	settles = 0.4
	// maxLeakHours bounds the pairs that are compared.
	maxLeakHours = 400
)

// leak is memory that only grows until the process starts anew.
type leak struct {
	perDay   float64
	restarts int
}

// findLeak looks at the lowest use of each hour, which garbage does not blur.
func findLeak(low []float64) *leak {
	hours := 1 // Of one value.
	for len(low) > maxLeakHours {
		low, hours = halve(low), 2*hours
	}
	pairs, score, length := 0, 0, 0
	var slopes []float64
	segments := splitAtDrops(low)
	for _, s := range segments {
		if len(s)*hours < 6 {
			continue
		}
		for i := range s {
			for _, later := range s[i+1:] {
				pairs++
				switch {
				case later > s[i]:
					score++
				case later < s[i]:
					score--
				}
			}
		}
		growth := s[len(s)-1] - s[0]
		if third := len(s) / 3; growth < leakGrowth*s[0] || s[len(s)-1]-s[len(s)-1-third] < settles*(s[third]-s[0]) {
			return nil
		}
		length += len(s) * hours
		slopes = append(slopes, growth/float64((len(s)-1)*hours)*24)
	}
	if length < minLeak || float64(score) < rising*float64(pairs) {
		return nil
	}
	slices.Sort(slopes)
	return &leak{perDay: quantile(slopes, 0.5), restarts: len(segments) - 1}
}

// splitAtDrops cuts where memory falls as it does at a restart; unknown hours
// are left out.
func splitAtDrops(low []float64) (segments [][]float64) {
	var s []float64
	for _, v := range low {
		if math.IsNaN(v) {
			continue
		}
		if len(s) > 0 && v < restartDrop*s[len(s)-1] {
			segments, s = append(segments, s), nil
		}
		s = append(s, v)
	}
	return append(segments, s)
}

// halve keeps the lower of each two values.
func halve(low []float64) []float64 {
	out := make([]float64, 0, len(low)/2+1)
	for pair := range slices.Chunk(low, 2) {
		v := pair[0]
		if len(pair) == 2 && (math.IsNaN(v) || pair[1] < v) {
			v = pair[1]
		}
		out = append(out, v)
	}
	return out
}
