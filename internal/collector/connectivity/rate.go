package connectivity

import "time"

// rate is how often a stream usually brings data, so that one of a symbol that is
// hardly traded is not taken for dead.
type rate struct {
	frames int64
	mean   time.Duration // Between frames, an exponential average.
	// longest are the longest waits of this hour and of the one before, each up to
	// half the patience of its time: a pause that comes again and again is usual
	// after some times, a single one is not.
	longest [2]time.Duration
	hour    int64
	last    time.Time
}

const (
	// learned is how many frames it takes to know a rate, and guessed how many to
	// guess one. Before that a stream gets unknownPatience.
	learned, guessed = 20, 5
	unknownPatience  = 5 * time.Minute
	minPatience      = 15 * time.Second
	maxPatience      = 30 * time.Minute
	// Of waits that come by chance, one in 10^8 is 20 times the mean. Markets are
	// quieter at times, so that what was seen lately counts as well.
	meansOfPatience   = 20
	longestOfPatience = 3
)

// frame takes a data frame.
func (r *rate) frame(now time.Time) {
	if !r.last.IsZero() {
		// What outlasted the patience was told, and may have been an outage: what is
		// learned of it must not make the next one be told three times as late.
		patience := r.patience()
		wait := min(now.Sub(r.last), patience)
		switch {
		case r.frames <= 1:
			r.mean = wait
		default:
			const weight = 50
			r.mean += (wait - r.mean) / time.Duration(min(r.frames, weight))
		}
		if hour := now.Unix() / 3600; hour != r.hour {
			r.hour, r.longest[1], r.longest[0] = hour, r.longest[0], 0
		}
		r.longest[0] = max(r.longest[0], min(wait, patience/2))
	}
	r.frames++
	r.last = now
}

// lost forgets the time of the last frame: what comes next says nothing of the rate.
func (r *rate) lost() { r.last = time.Time{} }

// patience is how long the stream may be silent before it is wrong. The fewer frames
// came, the less their rate is believed: of a stream with a frame each second, five
// give it 80 s, ten 60 s, and twenty 20 s.
func (r *rate) patience() time.Duration {
	if r.frames < guessed {
		return unknownPatience
	}
	p := max(meansOfPatience*r.mean, longestOfPatience*max(r.longest[0], r.longest[1]))
	if r.frames < learned {
		const least = time.Minute
		return min(max(p*learned/time.Duration(r.frames), least), unknownPatience)
	}
	return min(max(p, minPatience), maxPatience)
}
