package alerting

import (
	"math/rand/v2"
	"time"
)

const (
	// firstPause is what follows the first failure; each further one doubles it.
	firstPause = 100 * time.Millisecond
	// Whoever has failed for two minutes is asked at least every three seconds,
	// so that a message arrives within five of its destination's return.
	shortPause = 3 * time.Second
	longPause  = time.Minute
	// patienceShare bounds a pause by this share of what the failing has lasted.
	patienceShare = 40
)

// pauseAfter is how long to wait after the given number of failures in a row,
// of which the first was `lasted` ago. Half of it is chance, so that what
// failed together does not come back together.
func pauseAfter(failures int, lasted time.Duration) time.Duration {
	limit := min(max(lasted/patienceShare, shortPause), longPause)
	pause := limit
	if doublings := failures - 1; doublings < 10 {
		pause = min(firstPause<<doublings, limit)
	}
	return pause/2 + rand.N(pause/2)
}

const (
	// A dead destination is tried this often, first and at last: it takes a
	// person to mend it, who usually reloads afterwards, and that tries at once.
	firstProbe = time.Minute
	lastProbe  = 15 * time.Minute
	// maxPaced bounds the pause that a destination may ask for.
	maxPaced = time.Hour
	// unnamedPause is the pause when it asks for one without saying how long.
	unnamedPause = 5 * time.Second
)

func probeAfter(failures int) time.Duration {
	if doublings := failures - 1; doublings < 4 {
		return min(firstProbe<<doublings, lastProbe)
	}
	return lastProbe
}

func pacedFor(asked time.Duration) time.Duration {
	if asked <= 0 {
		return unnamedPause
	}
	return min(asked, maxPaced)
}
