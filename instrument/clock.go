package instrument

import "time"

// clock measures durations. It reads one clock of the system where time.Now reads
// two, and that is the largest part of what a measurement costs.
type clock struct{ start time.Time }

func newClock() clock { return clock{start: time.Now()} }

// now is only good for the difference from another now.
func (c clock) now() time.Duration { return time.Since(c.start) }

// at turns a now into a time, to compare with times of this process.
func (c clock) at(now time.Duration) time.Time { return c.start.Add(now) }

// seconds is a time as metrics have it.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
