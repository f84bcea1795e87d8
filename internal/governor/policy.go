package governor

import "time"

// shares are parts of a limit, from 0 to 1, that lower classes leave to higher ones
// while the window lasts.
type shares struct {
	order, account, market float64
}

// What holds for everybody else than orders and cancels, apart from the shares.
const (
	// burst is the part of a limit that readings may use at a window's start; from
	// there on they may use more with each second. A burst of the whole limit is
	// what the firewall looks for, and leaves no time to notice others.
	burst = 0.25
	// paced is the part of the window after which all of the limit is open.
	paced = 0.9
	// maxInflight is the part of a limit that may be unanswered: until the answers
	// come, a wrong price or another user of the address goes unnoticed.
	maxInflight = 0.25
	// floor is the part of a limit that is left to orders until the end.
	floor = 0.01
)

// room is what a class may still spend of a budget at a time; it may be negative.
// Without further requests it only grows until the window ends.
func (b *budget) room(c class, at time.Time, guard time.Duration, s shares) int64 {
	left := b.left(at, guard)
	if c.urgent() {
		return left
	}
	limit := float64(b.limit)
	remains := 1 - b.elapsed(at)
	// Orders and cancels may need more than their share, and pass whatever is left.
	keep := floor*limit + max(s.order*remains*limit, float64(b.urgentAhead(at)))
	if c > account {
		keep += s.account * remains * limit
	}
	if c > market {
		keep += s.market * remains * limit
	}
	room := left - int64(keep) - b.foreignAhead(at)
	if c > account {
		open := burst + (1-burst)*min(1, b.elapsed(at)/paced)
		room = min(room, int64(open*limit)-b.used(&b.cur))
	}
	return room
}

// waits says that too much is unanswered to send this as well. What is bigger than
// the part that may be unanswered goes alone.
func (b *budget) waits(weight int64) bool {
	return b.inflight > 0 && b.inflight+weight > int64(maxInflight*float64(b.limit))
}

// opens is when a class will have room for weight if nothing else happens, and
// whether that is in the current window.
func (b *budget) opens(c class, weight int64, at time.Time, guard time.Duration, s shares) (time.Time, bool) {
	end := b.startOf(b.cur.index + 1)
	from, to := at, end.Add(-time.Millisecond)
	if !from.Before(to) || b.room(c, to, guard, s) < weight {
		return end.Add(guard), false
	}
	for to.Sub(from) > time.Millisecond {
		middle := from.Add(to.Sub(from) / 2)
		if b.room(c, middle, guard, s) >= weight {
			to = middle
		} else {
			from = middle
		}
	}
	return to, true
}
