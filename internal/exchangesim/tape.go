package exchangesim

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	minute = int64(60_000)
	// open is the end of what has not ended.
	open = math.MaxInt64
)

// agg is an aggregate trade: trades of one order at one price and time.
type agg struct {
	id, first, last int64
	price, qty      int64
	at              int64 // ms.
	// seller is true if the buyer was the maker.
	seller bool
}

// tape is what a symbol traded: a function of the key, which can be read at any
// place without what came before.
//
// Aggregates are numbered without a hole. Those of minute m begin with
//
//	k*m + jitter(m), jitter from 0 to k
//
// so that a minute has 0 to 2k of them, and the next one begins where it ends.
// Trades are numbered in the same way: those of aggregate i begin with 2i + bit(i).
//
// While a halt lasts the tape stands still: the exchange's documents call
// consecutive numbers across a hole in time a halt without loss.
type tape struct {
	key    uint64
	asset  uint64 // Of the price: markets of one asset move alike.
	base   int64  // About where it trades, in ticks.
	k      int64
	origin int64 // The minute in which trading began.
	size   int64 // Of a usual trade.

	mu    sync.Mutex
	halts []span // In the order of time.
	// recent are minutes that were read lately.
	recent map[int64][]agg
	hours  map[int64]Bar
}

// span is from when until when, in ms.
type span struct{ from, to int64 }

func newTape(key, asset uint64, s Symbol, base int64, since time.Time) *tape {
	return &tape{
		key: key, asset: asset, base: base,
		k: max(1, int64(s.TradesPerMinute)/2), origin: since.UnixMilli() / minute,
		size:   max(1, pow10(s.QuantityDigits)*pow10(s.PriceDigits)*500/max(base, 1)),
		recent: make(map[int64][]agg), hours: make(map[int64]Bar),
	}
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (t *tape) hash(n int64, purpose uint64) uint64 { return mix(t.key ^ mix(uint64(n)^purpose<<56)) }

// aggsBefore is the number of the first aggregate at or after the minute.
func (t *tape) aggsBefore(m int64) int64 {
	return (m-t.origin)*t.k + int64(t.hash(m, 1)%uint64(t.k+1))
}

// firstTrade is the number of an aggregate's first trade.
func (t *tape) firstTrade(i int64) int64 { return 2*i + int64(t.hash(i, 2)&1) }

// aggOf is the aggregate that has the trade.
func (t *tape) aggOf(trade int64) int64 {
	i := trade / 2
	if t.firstTrade(i) > trade {
		i--
	}
	return i
}

// minuteOf is the minute that has the aggregate.
func (t *tape) minuteOf(i int64) int64 {
	m := t.origin + i/t.k
	for t.aggsBefore(m) > i {
		m--
	}
	for t.aggsBefore(m+1) <= i {
		m++
	}
	return m
}

// waves are what a price is made of: how long one takes, and how far it goes.
var waves = [...]struct {
	period int64
	height float64
}{
	{20_000, 0.0001},
	{5 * minute, 0.0008},
	{47 * minute, 0.003},
	{7 * 60 * minute, 0.01},
	{3 * 24 * 60 * minute, 0.03},
	{31 * 24 * 60 * minute, 0.1},
}

// priceAt is the price at a time of the tape, in ticks.
func (t *tape) priceAt(at int64) int64 {
	sum := 0.0
	for i, w := range waves {
		n, rest := at/w.period, at%w.period
		a, b := unit(mix(t.asset^mix(uint64(n)^uint64(i)<<56))), unit(mix(t.asset^mix(uint64(n+1)^uint64(i)<<56)))
		x := float64(rest) / float64(w.period)
		x = x * x * (3 - 2*x)
		sum += w.height * (a + (b-a)*x)
	}
	return max(1, int64(float64(t.base)*(1+sum)))
}

// unit is a number from -1 to 1.
func unit(h uint64) float64 { return float64(h>>11)/(1<<52) - 1 }

// ofMinute are the aggregates of a minute of the tape.
func (t *tape) ofMinute(m int64) []agg {
	if m < t.origin {
		return nil
	}
	t.mu.Lock()
	aggs, ok := t.recent[m]
	t.mu.Unlock()
	if ok {
		return aggs
	}
	begin := t.aggsBefore(m)
	n := t.aggsBefore(m+1) - begin
	aggs = make([]agg, n)
	for j := range n {
		i := begin + j
		h := t.hash(i, 3)
		at := m*minute + (j*minute+int64(h%uint64(minute)))/n
		price := t.priceAt(at)
		seller := h>>40&1 == 1
		if !seller {
			price += max(1, price/50_000)
		}
		aggs[j] = agg{
			id: i, first: t.firstTrade(i), last: t.firstTrade(i+1) - 1,
			price: price, qty: 1 + t.size/4 + int64(t.hash(i, 4)%uint64(2*t.size)) + 2, at: at, seller: seller,
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	const enough = 256
	if len(t.recent) >= enough {
		clear(t.recent)
	}
	t.recent[m] = aggs
	return aggs
}

// byID is one aggregate, with its real time.
func (t *tape) byID(i int64) (agg, bool) {
	if i < t.aggsBefore(t.origin) {
		return agg{}, false
	}
	m := t.minuteOf(i)
	a := t.ofMinute(m)[i-t.aggsBefore(m)]
	a.at = t.real(a.at)
	return a, true
}

// each yields the aggregates from a time to another, without the latter.
func (t *tape) each(from, to int64, yield func(agg) bool) {
	lf, lt := t.logical(from), t.logical(to)
	for m := max(lf/minute, t.origin); m*minute < lt; m++ {
		for _, a := range t.ofMinute(m) {
			if a.at < lf || a.at >= lt {
				continue
			}
			a.at = t.real(a.at)
			if !yield(a) {
				return
			}
		}
	}
}

// next is the number of the first aggregate at or after a time.
func (t *tape) next(at int64) int64 {
	l := t.logical(at)
	m := max(l/minute, t.origin)
	for _, a := range t.ofMinute(m) {
		if a.at >= l {
			return a.id
		}
	}
	return t.aggsBefore(m + 1)
}

// logical is how far the tape has run at a real time.
func (t *tape) logical(at int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	stood := int64(0)
	for _, h := range t.halts {
		if h.from >= at {
			break
		}
		stood += min(h.to, at) - h.from
	}
	return at - stood
}

// real is the time at which the tape is at l.
func (t *tape) real(l int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.halts {
		if l < h.from || h.to == open {
			break
		}
		l += h.to - h.from
	}
	return l
}

// halt stops the tape; it begins after all other halts.
func (t *tape) halt(from, to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.halts); n > 0 && t.halts[n-1].to > from {
		t.halts[n-1].to = max(t.halts[n-1].to, to)
		return
	}
	t.halts = append(t.halts, span{from, to})
}

// resume ends a halt.
func (t *tape) resume(at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.halts); n > 0 && t.halts[n-1].to > at {
		t.halts[n-1].to = max(at, t.halts[n-1].from)
	}
}

// halted is true while the tape stands, and says since when.
func (t *tape) halted(at int64) (since int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.halts, func(h span) bool { return h.from <= at && at < h.to })
	if i < 0 {
		return 0, false
	}
	return t.halts[i].from, true
}
