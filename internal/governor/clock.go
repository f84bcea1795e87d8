package governor

import (
	"sync"
	"time"
)

// The guard is the time around a window's start in which nobody can say which
// window a request will count in.
const (
	minGuard = 250 * time.Millisecond
	// maxGuard is used while the exchange's time is not known.
	maxGuard = 1500 * time.Millisecond
)

// clockSamples are remembered; the one with the shortest round trip counts.
const clockSamples = 5

// clock is a market's clock as far as we know it. It goes by our monotonic clock,
// so that a step of the wall clock moves no window.
type clock struct {
	start time.Time // With its monotonic reading.

	mu      sync.Mutex
	samples []clockSample
	best    clockSample
}

// clockSample is one reading of the exchange's time.
type clockSample struct {
	offset time.Duration // The exchange's time less ours.
	error  time.Duration // Half the round trip: the offset may be wrong by that.
}

func newClock() *clock { return &clock{start: time.Now()} }

// local is now by our wall clock of the start and the time since then.
func (c *clock) local(now time.Time) time.Time { return c.start.Round(0).Add(now.Sub(c.start)) }

// now is the exchange's time at our time now.
func (c *clock) now(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local(now).Add(c.best.offset)
}

// ours turns a time of the exchange into one of ours.
func (c *clock) ours(at time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start.Add(at.Add(-c.best.offset).Sub(c.start.Round(0)))
}

// observe takes a reading: the exchange said server between sent and received.
func (c *clock) observe(sent, received, server time.Time) {
	half := received.Sub(sent) / 2
	s := clockSample{offset: server.Sub(c.local(sent.Add(half))), error: half}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) > 0 && (s.offset-c.best.offset).Abs() > s.error+c.best.error {
		// One of the clocks was set: what was known holds no longer.
		c.samples = c.samples[:0]
	}
	if len(c.samples) == clockSamples {
		c.samples = append(c.samples[:0], c.samples[1:]...)
	}
	c.samples = append(c.samples, s)
	c.best = s
	for _, old := range c.samples {
		if old.error < c.best.error {
			c.best = old
		}
	}
}

// offset is false until the exchange's time was read.
func (c *clock) offset() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.best.offset, len(c.samples) > 0
}

func (c *clock) guard() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) == 0 {
		return maxGuard
	}
	return min(max(minGuard, c.best.error+50*time.Millisecond), maxGuard)
}
