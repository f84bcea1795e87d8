package audit

import (
	"fmt"
	"time"
)

// Interval is the length of a kline as Binance names it: 1m, 4h, 1w, 1M.
type Interval string

// The lengths that do not divide time evenly from its epoch.
const (
	week      Interval = "1w" // from Monday
	month     Interval = "1M" // from the first
	threeDays Interval = "3d" // from a day that is not documented
)

const day = 24 * time.Hour

// durations of the intervals; API documentation, "Kline intervals", 2026-11.
func (i Interval) duration() (time.Duration, bool) {
	switch i {
	case threeDays:
		return 3 * day, true
	case week:
		return 7 * day, true
	case month:
		return 0, true
	case "1d":
		return day, true
	case "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h":
		d, err := time.ParseDuration(string(i))
		return d, err == nil
	}
	return 0, false
}

// Validate returns an error for what is not an interval.
func (i Interval) Validate() error {
	if _, ok := i.duration(); !ok {
		return fmt.Errorf("interval %q: use one of 1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M", string(i))
	}
	return nil
}

// calendar steps from bar to bar, in microseconds since the epoch.
type calendar struct {
	step   int64 // 0 for months
	offset int64 // of a bar from the multiples of step
	free   bool  // any start is right
}

func newCalendar(i Interval) calendar {
	d, _ := i.duration() // Validated by the caller.
	c := calendar{step: d.Microseconds(), free: i == threeDays}
	if i == week {
		c.offset = (4 * day).Microseconds() // 1970-01-05 was a Monday.
	}
	return c
}

func (c calendar) next(t int64) int64 {
	if c.step > 0 {
		return t + c.step
	}
	return time.UnixMicro(t).UTC().AddDate(0, 1, 0).UnixMicro()
}

// aligned reports whether a bar may start at t.
func (c calendar) aligned(t int64) bool {
	switch {
	case c.free:
		return true
	case c.step > 0:
		return (t-c.offset)%c.step == 0
	}
	at := time.UnixMicro(t).UTC()
	return at.Equal(time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC))
}

// count is the number of bars that start in [from, to).
func (c calendar) count(from, to int64) int64 {
	if to <= from {
		return 0
	}
	if c.step > 0 {
		return (to - from + c.step - 1) / c.step
	}
	n := int64(0)
	for ; from < to; from = c.next(from) {
		n++
	}
	return n
}
