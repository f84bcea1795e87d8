package governor

import (
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// budget is what one limit of one address has left. The exchange counts in fixed
// windows that begin at whole multiples of their length by its own clock, and all
// times here are the exchange's.
//
// A request is reserved at its worst case before it is sent and settled when its
// answer says what it cost. In between nobody knows in which window it counts, so
// that it counts in both. The exchange's own count comes with each answer, and
// includes what others on the same address have used:
//
//	limit 6000 · own 100 settled, 20 in flight · header 170
//	used = max(100, 170) + 20 = 190 · foreign ≥ 170 − 100 − 20 = 50
type budget struct {
	limit  int64
	length time.Duration

	cur, prev tally
	inflight  int64
	// past are the last windows, newest first.
	past [memory]pastWindow
	// worst has the highest figures of all of past.
	worst pastWindow
	// warm is false in the window in which we started: what was used before we
	// did is not foreign.
	warm  bool
	marks marks
}

// tally is one window.
type tally struct {
	index int64
	own   int64 // Settled.
	// lost is what was sent and never answered: it may count any time.
	lost   int64
	header int64 // The highest count that the exchange told; -1 if none.
	// foreign was used by others, at least; urgent by orders and cancels.
	foreign, urgent demand
	classes         [classes]int64
}

// memory is how many windows are remembered to foretell the next one.
const memory = 5

type pastWindow struct{ foreign, urgent demand }

// nearBoundary is how far a Date header may be off before it is a lie: one second
// of resolution, and one of a wrong clock and a slow answer.
const nearBoundary = 2 * time.Second

func newBudget(limit int64, length time.Duration) *budget {
	return &budget{limit: limit, length: length, cur: tally{header: -1}, prev: tally{header: -1}}
}

func (b *budget) index(at time.Time) int64 { return at.UnixMilli() / b.length.Milliseconds() }

func (b *budget) startOf(index int64) time.Time {
	return time.UnixMilli(index * b.length.Milliseconds())
}

// elapsed is how much of the current window is over, from 0 to 1.
func (b *budget) elapsed(at time.Time) float64 {
	return min(max(float64(at.Sub(b.startOf(b.cur.index)))/float64(b.length), 0), 1)
}

// roll begins the window of at. It never goes back.
func (b *budget) roll(at time.Time) { b.rollTo(b.index(at)) }

func (b *budget) rollTo(index int64) {
	if index <= b.cur.index {
		return
	}
	for range min(index-b.cur.index, memory) {
		copy(b.past[1:], b.past[:])
		b.past[0] = pastWindow{}
	}
	if over := index - b.cur.index; over <= memory {
		b.past[over-1].urgent = b.cur.urgent
		if b.warm {
			b.past[over-1].foreign = b.cur.foreign.atMost(b.cur.header - b.cur.own)
		}
	}
	b.worst = pastWindow{}
	for _, p := range b.past {
		b.worst.foreign.raise(p.foreign)
		b.worst.urgent.raise(p.urgent)
	}
	if b.cur.header >= 0 {
		b.warm = true
	}
	b.prev = tally{index: index - 1, header: -1}
	if b.cur.index == index-1 {
		b.prev = b.cur
	}
	b.cur = tally{index: index, header: -1}
}

// used is the most that may have been used of a window by now.
func (b *budget) used(t *tally) int64 { return max(t.own, t.header) + t.lost + b.inflight }

// left is what may still be sent at the given time. Shortly after a window's
// start the exchange may still count in the one before.
func (b *budget) left(at time.Time, guard time.Duration) int64 {
	left := b.limit - b.used(&b.cur)
	if at.Sub(b.startOf(b.cur.index)) < guard {
		left = min(left, b.limit-b.used(&b.prev))
	}
	return left
}

// reservation is what a request was charged before it was sent.
type reservation struct {
	index  int64
	at     time.Time
	weight int64
	class  class
}

func (b *budget) reserve(at time.Time, weight int64, c class) reservation {
	b.roll(at)
	b.inflight += weight
	b.marks.note(at, b.used(&b.cur))
	b.cur.classes[c] += weight
	return reservation{index: b.cur.index, at: at, weight: weight, class: c}
}

// settlement is what became of a request.
type settlement struct {
	// at is when the answer came, dated its Date header; zero if it has none.
	at, dated time.Time
	// cost is what it cost by our table; lost says that no answer came.
	cost int64
	lost bool
	// header is the exchange's count, -1 if the answer has none.
	header int64
}

// settle replaces the reservation by what the request cost. It returns whether the
// header was believed.
func (b *budget) settle(r reservation, s settlement) bool {
	b.roll(s.at)
	b.inflight -= r.weight
	index, certain := b.placed(r, s)
	t := &b.cur
	switch index {
	case b.cur.index:
	case b.prev.index:
		t = &b.prev
	default:
		return false
	}
	if r.index == t.index {
		t.classes[r.class] += s.cost - r.weight
	}
	if s.lost {
		s.cost = r.weight
	}
	if r.class.urgent() {
		t.urgent.add(s.at, s.cost)
	}
	if s.lost {
		t.lost += s.cost
		return false
	}
	t.own += s.cost
	if !certain {
		return false
	}
	return b.hear(t, s.header, s.at)
}

// placed is the window in which a request was counted, and whether its header is
// certain to tell of that one.
func (b *budget) placed(r reservation, s settlement) (index int64, certain bool) {
	if s.dated.IsZero() {
		return b.cur.index, r.index == b.cur.index
	}
	dated := b.index(s.dated)
	switch {
	case dated == b.cur.index+1 && b.startOf(dated).Sub(s.at) < nearBoundary:
		b.rollTo(dated) // The exchange is ahead of what we think.
	case dated == r.index-1 && r.at.Sub(b.startOf(r.index)) < nearBoundary:
		return dated, true // The exchange is behind.
	case dated < r.index || dated > b.cur.index:
		return b.cur.index, false // The date is a lie.
	}
	// A request that was sent in one window and dated in the next may have counted
	// in either; to charge the later one is safe, and its header may be of the first.
	return dated, dated == r.index
}

// maxOver is how far above the limit a count may be before it is a lie.
const maxOver = 10

// hear takes the exchange's count.
func (b *budget) hear(t *tally, count int64, at time.Time) bool {
	if count < 0 || count > maxOver*b.limit {
		return false
	}
	t.header = max(t.header, count)
	if more := count - t.own - t.lost - b.inflight - t.foreign.total; more > 0 {
		t.foreign.add(at, more)
	}
	return true
}

// observe takes a count that somebody else saw, in an answer that was not ours.
func (b *budget) observe(at, dated time.Time, count int64) {
	b.roll(at)
	if dated.IsZero() {
		dated = at
	}
	if b.index(dated) == b.cur.index && b.hear(&b.cur, count, at) {
		b.marks.note(at, b.used(&b.cur))
	}
}

// foreignAhead is what others will probably use in the rest of the window.
func (b *budget) foreignAhead(at time.Time) int64 {
	now := b.cur.foreign
	if !b.warm {
		now = demand{}
	}
	// What they used in each minute before they may use in this one, however late.
	return max(ahead(now, b.worst.foreign, b.elapsed(at)), b.worst.foreign.total-now.total)
}

// urgentAhead is what orders and cancels will probably use in the rest of the window.
func (b *budget) urgentAhead(at time.Time) int64 {
	return ahead(b.cur.urgent, b.worst.urgent, b.elapsed(at))
}

// forgetForeign makes ours what was taken for the use of others.
func (b *budget) forgetForeign() {
	for i := range b.past {
		b.past[i].foreign = demand{}
	}
	b.worst.foreign = demand{}
	for _, t := range []*tally{&b.cur, &b.prev} {
		t.own += t.foreign.total
		t.foreign = demand{}
	}
}

func (b *budget) withLimit(l binance.Limit) *budget {
	if l.Window != b.length {
		return newBudget(l.Count, l.Window)
	}
	b.limit = l.Count
	return b
}
