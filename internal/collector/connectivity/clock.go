package connectivity

import (
	"sync"
	"time"
)

// clockSamples are kept; the one with the shortest round trip says the most.
const clockSamples = 8

// sample is one reading of the exchange's clock.
type sample struct {
	offset time.Duration // The exchange's time less ours.
	error  time.Duration // Half the round trip: the offset may be wrong by that.
	at     time.Time
}

// clock is what we know of a market's clock.
type clock struct {
	mu      sync.Mutex
	samples []sample
}

// observe takes a reading: the exchange said server between sent and received,
// most likely in the middle.
func (c *clock) observe(sent, received, server time.Time) {
	half := received.Sub(sent) / 2
	s := sample{offset: server.Sub(sent.Add(half).Round(0)), error: half, at: received}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, old := range c.samples {
		if (s.offset - old.offset).Abs() > s.error+old.error {
			// Both cannot hold: one of the clocks was set in between.
			c.samples = nil
			break
		}
	}
	if len(c.samples) == clockSamples {
		c.samples = append(c.samples[:0], c.samples[1:]...)
	}
	c.samples = append(c.samples, s)
}

// best is the sharpest reading, false if there was none since a time.
func (c *clock) best(since time.Time) (best sample, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.samples {
		if !s.at.Before(since) && (!ok || s.error < best.error) {
			best, ok = s, true
		}
	}
	return best, ok
}
