package instrument

import (
	"sync/atomic"
	"time"
)

// clock tells the time for less than time.Now, which reads two clocks of the system:
// that is the largest part of what a measurement costs. It reads the monotonic one,
// and the other one again each second, so that it follows when that one is set.
type clock struct {
	start time.Time
	// offset is the wall clock at start in Unix nanoseconds, by a reading at read.
	offset, read *atomic.Int64
}

func newClock() clock {
	c := clock{start: time.Now(), offset: new(atomic.Int64), read: new(atomic.Int64)}
	c.offset.Store(c.start.UnixNano())
	return c
}

// now is only good for the difference from another now.
func (c clock) now() time.Duration { return time.Since(c.start) }

// at turns a now into a time, to compare with times of this process.
func (c clock) at(now time.Duration) time.Time { return c.start.Add(now) }

// unixNano is the time of the wall clock.
func (c clock) unixNano() int64 {
	now := int64(c.now())
	if read := c.read.Load(); now-read > int64(time.Second) && c.read.CompareAndSwap(read, now) {
		c.offset.Store(time.Now().UnixNano() - now)
	}
	return c.offset.Load() + now
}

// seconds is a time as metrics have it, and nanoSeconds one of unixNano.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func nanoSeconds(unixNano int64) float64 { return float64(unixNano/1000) / 1e6 }
