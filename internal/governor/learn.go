package governor

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lessons correct the weight table by what the exchange's own count says. Ordered
// by that count, the answers of a window stand in the order in which the exchange
// counted them, and the step to each is what that request cost, plus what others
// on the address used in between:
//
//	trades 110 · klines 112 · klines 114 · (somebody else 40) · klines 156
//	klines cost 2, 2, 42: the smallest step is a clean one
//
// The same works with any number of requests in flight. Only steps between answers
// that came shortly after each other count: there is little room for others.
type lessons struct {
	// learned is replaced as a whole: prices are read for each request.
	learned atomic.Pointer[map[int]int64]

	mu     sync.Mutex
	window int64
	heard  []heard
	steps  map[int]*steps
	prices map[int]price
	// unlisted gives endpoints that the table does not have a row of their own.
	unlisted map[string]int
}

// heard is the exchange's count after a request of a row.
type heard struct {
	count int64
	row   int
	at    time.Time
}

// price is what a row of the table says, for the metric.
type price struct {
	endpoint, when string
	weight         int64
}

// steps are the last costs of a row.
type steps struct {
	last [stepMemory]int64
	n    int
}

const (
	stepMemory = 60
	// stepsToRaise and stepsToLower are how many are needed to believe it. A
	// price that is too low is the more dangerous one.
	stepsToRaise = 8
	stepsToLower = 15
	// closeBy is how soon an answer must follow the one before.
	closeBy = 200 * time.Millisecond
	// maxHeard bounds what is remembered of a window, maxUnlisted the endpoints
	// that the table does not have. Their rows are negative.
	maxHeard    = 20_000
	maxUnlisted = 200
)

func newLessons() *lessons {
	l := &lessons{steps: make(map[int]*steps), prices: make(map[int]price), unlisted: make(map[string]int)}
	l.learned.Store(&map[int]int64{})
	return l
}

// weight is what a row costs as far as we know.
func (l *lessons) weight(row int, table int64) int64 {
	if w, ok := (*l.learned.Load())[row]; ok {
		return w
	}
	return table
}

// rowOf gives an endpoint that the table does not have a row, 0 if there are too
// many of them.
func (l *lessons) rowOf(endpoint string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	row, ok := l.unlisted[endpoint]
	if !ok && len(l.unlisted) < maxUnlisted {
		row = -1 - len(l.unlisted)
		l.unlisted[endpoint] = row
	}
	return row
}

// hear notes an answer of a window; a row of 0 only marks the place. It says whether
// a price was found too low.
func (l *lessons) hear(h heard, window int64, p price) (raised bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if window > l.window {
		raised = l.learn()
		l.window, l.heard = window, l.heard[:0]
	}
	if window < l.window || len(l.heard) == maxHeard {
		return raised
	}
	l.heard = append(l.heard, h)
	if h.row != 0 {
		if _, ok := l.prices[h.row]; !ok {
			l.prices[h.row] = p
		}
	}
	return raised
}

// learn reads the steps of the window that is over, and says whether a price rose.
func (l *lessons) learn() (raised bool) {
	slices.SortStableFunc(l.heard, func(a, b heard) int { return cmp.Compare(a.count, b.count) })
	touched := make(map[int]bool)
	for i := 1; i < len(l.heard); i++ {
		before, h := l.heard[i-1], l.heard[i]
		step, row := h.count-before.count, h.row
		if row == 0 || step <= 0 || h.at.Sub(before.at).Abs() > closeBy {
			continue
		}
		s := l.steps[row]
		if s == nil {
			s = new(steps)
			l.steps[row] = s
		}
		s.last[s.n%stepMemory] = step
		s.n++
		touched[row] = true
	}
	next := make(map[int]int64, len(*l.learned.Load()))
	for row, w := range *l.learned.Load() {
		next[row] = w
	}
	for row := range touched {
		was := l.prices[row].weight
		if w, ok := next[row]; ok {
			was = w
		}
		if w, ok := l.steps[row].price(was); ok {
			next[row] = w
			raised = raised || w > was
		}
	}
	l.learned.Store(&next)
	return raised
}

// price is what the steps say, if there are enough of them.
func (s *steps) price(was int64) (int64, bool) {
	n := min(s.n, stepMemory)
	if n < stepsToRaise {
		return 0, false
	}
	// The smallest: all that others use makes steps longer, and a price that is too
	// low for a while is caught by the exchange's count, which is always believed.
	small := slices.Min(s.last[:n])
	if small > was || small < was && n >= stepsToLower {
		return small, true
	}
	return 0, false
}

// drift is how far the table is off.
type drift struct {
	endpoint, when string
	// more is what a request costs beyond the table's price; negative if it
	// costs less.
	more int64
}

// drifts has one entry for each endpoint and condition; the endpoints that the
// table does not have share one, with the worst of them.
func (l *lessons) drifts() []drift {
	l.mu.Lock()
	defer l.mu.Unlock()
	worst := make(map[drift]int64)
	for row, learned := range *l.learned.Load() {
		p := l.prices[row]
		key := drift{endpoint: p.endpoint, when: p.when}
		if more := learned - p.weight; more > worst[key] || more < 0 && worst[key] == 0 {
			worst[key] = more
		} else if _, ok := worst[key]; !ok {
			worst[key] = 0
		}
	}
	all := make([]drift, 0, len(worst))
	for key, more := range worst {
		key.more = more
		all = append(all, key)
	}
	return all
}
