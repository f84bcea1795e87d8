package instrument

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockFollowsTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		time.Sleep(500 * time.Millisecond)
		if got, want := c.unixNano(), time.Now().UnixNano(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
		// As if the wall clock had been an hour behind until now.
		c.offset.Add(-int64(time.Hour))
		time.Sleep(time.Second)
		if got, want := c.unixNano(), time.Now().UnixNano(); got != want {
			t.Errorf("a second after the wall clock was set: got %d, want %d", got, want)
		}
	})
}
