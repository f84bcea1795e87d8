package governor

import "time"

// burstSpan is how long what is used at once may take.
const burstSpan = 2 * time.Second

// demand is what somebody used in a window whom nothing holds back: others on the
// address, or our own orders and cancels.
type demand struct {
	total int64
	// burst is the most that was used in a span.
	burst int64
	// span began at began and has used so much.
	span  int64
	began time.Time
}

func (d *demand) add(at time.Time, weight int64) {
	if weight <= 0 {
		return
	}
	if at.Sub(d.began) > burstSpan {
		d.span, d.began = 0, at
	}
	d.span += weight
	d.total += weight
	d.burst = max(d.burst, d.span)
}

// atMost is the demand where it is known by now that it was no more than a weight.
func (d demand) atMost(weight int64) demand {
	d.total = min(d.total, max(0, weight))
	d.burst = min(d.burst, d.total)
	return d
}

// ahead foretells what will be used in the rest of a window of which a part is over:
// as much as in the worst of the last windows and in this one, once it tells
// something, and until the end a burst like the longest of them.
//
//	the last windows used 600 at most and 120 at once · 80 % is over
//	600 × 1.15 × 0.2 = 138, and not less than 120
func ahead(now, past demand, elapsed float64) int64 {
	if elapsed > 0.1 {
		past.total = max(past.total, int64(float64(now.total)/elapsed))
	}
	const margin = 1.15
	return max(int64(float64(past.total)*margin*(1-elapsed)), past.burst, now.burst)
}

// raise makes both figures at least those of another window.
func (d *demand) raise(other demand) {
	d.total, d.burst = max(d.total, other.total), max(d.burst, other.burst)
}
