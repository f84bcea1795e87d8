package main

import "slices"

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

// last is the n newest.
func (s sample) last(n int) sample { return s[max(0, len(s)-n):] }
