package governor

import (
	"math/rand/v2"
	"testing"
	"time"
)

// naive counts as the exchange does, and remembers every request.
type naive struct {
	length time.Duration
	counts map[int64]int64
}

func (n *naive) count(at time.Time, weight int64) int64 {
	index := at.UnixMilli() / n.length.Milliseconds()
	n.counts[index] += weight
	return n.counts[index]
}

// flightOf is a request that the exchange has counted, or will.
type flightOf struct {
	r              reservation
	sent, counted  time.Time
	back           time.Time
	weight, header int64
	dated          time.Time
	lost           bool
}

// TestBudgetNeverThinksItHasMoreThanTheExchangeLeaves sends requests at random
// against the naive model: with other traffic, latency, lost answers, answers that
// overtake each other, free orders, a table that is wrong, and a clock that is off
// by less than the guard.
func TestBudgetNeverThinksItHasMoreThanTheExchangeLeaves(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		const step = 10 * time.Millisecond
		length := time.Duration(1+random.IntN(6)) * 10 * time.Second
		b := newBudget(1000, length)
		n := &naive{length: length, counts: make(map[int64]int64)}
		skew := time.Duration(random.Int64N(int64(400*time.Millisecond))) - 200*time.Millisecond
		wrong := random.IntN(3) // How much dearer than the table requests are.
		now := time.UnixMilli(1_700_000_000_000 + random.Int64N(100_000))
		var flights []*flightOf
		var heard time.Time // When the exchange counted the last request whose answer we had.
		others := make(map[time.Time]int64)
		sent := 0
		for range 30_000 {
			now = now.Add(step)
			ours := now.Add(skew)
			b.roll(ours)
			kept := flights[:0]
			for _, f := range flights {
				if f.header == 0 && !f.counted.After(now) {
					f.header = n.count(f.counted, f.weight)
					f.dated = f.counted.Truncate(time.Second)
				}
				if f.back.After(now) {
					kept = append(kept, f)
					continue
				}
				s := settlement{at: ours, dated: f.dated, cost: min(f.weight, f.r.weight), header: f.header, lost: f.lost}
				if b.settle(f.r, s) && f.counted.After(heard) {
					heard = f.counted
				}
			}
			flights = kept
			if random.IntN(10) == 0 {
				others[now] = random.Int64N(6)
				n.count(now, others[now])
			}
			if random.IntN(8) != 0 {
				continue
			}
			weight := 1 + random.Int64N(20)
			if b.left(ours, minGuard) < weight {
				continue
			}
			sent++
			there := now.Add(time.Duration(random.Int64N(int64(80 * time.Millisecond))))
			f := &flightOf{
				r: b.reserve(ours, weight, market), sent: now, counted: there, weight: weight + int64(wrong),
				back: there.Add(step + time.Duration(random.Int64N(int64(150*time.Millisecond)))), lost: random.IntN(50) == 0,
			}
			if random.IntN(20) == 0 {
				f.weight = 0 // An order that was accepted.
			}
			if f.lost {
				f.back = there.Add(time.Second)
			}
			flights = append(flights, f)
			// What the budget cannot know of: others since the last answer, and
			// what the table is wrong by in the requests under way or lost.
			unknown := int64(wrong * (len(flights) + sent/50 + 10))
			for at, weight := range others {
				if at.After(heard) {
					unknown += weight
				} else if heard.Sub(at) > 2*time.Minute {
					delete(others, at)
				}
			}
			if real := n.counts[there.UnixMilli()/length.Milliseconds()]; real > b.limit+unknown {
				t.Fatalf("seed %d: the exchange has counted %d of %d, the budget said %d was left", seed, real, b.limit, b.left(ours, minGuard))
			}
		}
		if sent == 0 {
			t.Errorf("seed %d: nothing was sent", seed)
		}
		for _, f := range flights {
			b.settle(f.r, settlement{at: now.Add(skew), cost: 0, header: -1})
		}
		if b.inflight != 0 {
			t.Errorf("seed %d: got %d in flight after all is settled, want 0", seed, b.inflight)
		}
	}
}

func TestForeignUseIsWhatWeDidNotSend(t *testing.T) {
	b := newBudget(6000, time.Minute)
	b.warm = true // What was used before we started is nobody's.
	at := time.UnixMilli(1_700_000_040_000)
	settle := func(count int64) {
		r := b.reserve(at, 20, market)
		at = at.Add(100 * time.Millisecond)
		b.settle(r, settlement{at: at, dated: at.Truncate(time.Second), cost: 20, header: count})
	}
	settle(20)
	if b.cur.foreign.total != 0 {
		t.Errorf("got %d foreign, want 0", b.cur.foreign.total)
	}
	settle(540)
	if b.cur.foreign.total != 500 || b.used(&b.cur) != 540 {
		t.Errorf("got %d foreign of %d used, want 500 of 540", b.cur.foreign.total, b.used(&b.cur))
	}
	settle(560)
	if b.cur.foreign.total != 500 {
		t.Errorf("got %d foreign, want 500: the rest was ours", b.cur.foreign.total)
	}
	at = at.Add(time.Minute)
	b.roll(at)
	if b.cur.foreign.total != 0 || b.past[0].foreign.total != 500 {
		t.Errorf("got %d foreign in the new window and %d in the last, want 0 and 500", b.cur.foreign.total, b.past[0].foreign.total)
	}
	if ahead := b.foreignAhead(b.startOf(b.cur.index)); ahead != 575 {
		t.Errorf("got %d kept for others, want 575", ahead)
	}
}

func TestRateForetellsTheEnd(t *testing.T) {
	b := newBudget(6000, time.Minute)
	start := time.UnixMilli(1_700_000_040_000)
	for s := range 30 {
		r := b.reserve(start.Add(time.Duration(s)*time.Second), 150, market)
		b.settle(r, settlement{at: start.Add(time.Duration(s) * time.Second), cost: 150, header: -1})
	}
	if got := b.rate(start.Add(30 * time.Second)); got < 130 || got > 160 {
		t.Errorf("got %v per second, want about 150", got)
	}
	if got := b.rate(start.Add(50 * time.Second)); got != 0 {
		t.Errorf("got %v per second after 20 quiet seconds, want 0", got)
	}
}
