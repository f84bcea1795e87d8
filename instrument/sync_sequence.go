package instrument

import "slices"

// verdict is what a stored row turned out to be. The order of the constants is
// that of the label outcome.
type verdict uint8

const (
	// fresh: newer than every row before it.
	fresh verdict = iota
	// late: it came after a newer row.
	late
	// duplicate: it was stored before.
	duplicate
	// history: older than all that is remembered, as in a backfill. Whether it is
	// a duplicate is not known.
	history
	verdicts
)

// String is the value of the label outcome.
func (v verdict) String() string {
	return [verdicts]string{"new", "out_of_order", "duplicate", "history"}[v]
}

// sequence follows rows whose numbers have no holes at the exchange: bars of an
// interval, ids of trades. It remembers what is missing, not what came.
//
//	add(5) new · add(8) new, opens the gap 6–7 · add(6) late, the gap is 7 ·
//	add(6) duplicate · add(4) history
type sequence struct {
	started     bool
	first, last int64
	gaps        []gap // Ascending, apart from each other.
	missing     int64 // Rows in gaps, forgotten ones included.
}

// gap is a range of missing numbers, both ends included.
type gap struct{ from, to int64 }

// maxGaps bounds the memory of a sequence. Of a gap that is forgotten the rows
// stay missing until the process ends: unknown is not fine.
const maxGaps = 64

// resume says that the store has rows up to n.
func (s *sequence) resume(n int64) {
	if !s.started {
		s.started, s.first, s.last = true, n, n
	}
}

// add takes row n. It returns how many rows were skipped just before n.
func (s *sequence) add(n int64) (v verdict, skipped int64) {
	switch {
	case !s.started:
		s.resume(n)
		return fresh, 0
	case n > s.last:
		skipped = n - s.last - 1
		if skipped > 0 {
			s.open(gap{s.last + 1, n - 1})
		}
		s.last = n
		return fresh, skipped
	case n < s.first:
		return history, 0
	case s.fill(n):
		return late, 0
	}
	return duplicate, 0
}

func (s *sequence) open(g gap) {
	if len(s.gaps) == maxGaps {
		s.gaps = slices.Delete(s.gaps, 0, 1)
	}
	s.gaps = append(s.gaps, g)
	s.missing += g.to - g.from + 1
}

// fill takes n out of the gap that it is in.
func (s *sequence) fill(n int64) bool {
	i := slices.IndexFunc(s.gaps, func(g gap) bool { return g.from <= n && n <= g.to })
	if i < 0 {
		return false
	}
	s.missing--
	switch g := s.gaps[i]; {
	case g.from == g.to:
		s.gaps = slices.Delete(s.gaps, i, i+1)
	case n == g.from:
		s.gaps[i].from++
	case n == g.to:
		s.gaps[i].to--
	case len(s.gaps) == maxGaps:
		// No room for two halves: forget the older one.
		s.gaps[i].from = n + 1
	default:
		s.gaps[i].to = n - 1
		s.gaps = slices.Insert(s.gaps, i+1, gap{n + 1, g.to})
	}
	return true
}
