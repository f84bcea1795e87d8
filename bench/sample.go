package main

import (
	"math"
	"slices"
)

// A sample is the repetitions of one measurement, in seconds or bytes.
type sample []float64

func (s sample) min() float64 { return slices.Min(s) }
func (s sample) max() float64 { return slices.Max(s) }

// median of an even number is the mean of the middle two.
func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// percentile is the least repetition that p per cent do not exceed.
func (s sample) percentile(p float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[max(0, int(math.Ceil(p/100*float64(len(s))))-1)]
}

// last is the n newest.
func (s sample) last(n int) sample { return s[max(0, len(s)-n):] }
