package instrument

import "slices"

// ledger follows rows whose ids are unique but not without holes, as those of one
// account's fills and incomes. It can tell duplicates and disorder, never a gap.
type ledger struct {
	// ids are the highest ids, ascending, so that the usual row is an append.
	ids []int64
	// started says that first and last are known. Below first nothing is judged.
	started     bool
	first, last int64
	// turn is last at the time when ids were forgotten for the last time.
	turn int64
}

// remembered is the number of ids that a ledger remembers at least: a page of the
// exchange's answers, which crawlers fetch again and again, has 1000.
const remembered = 1024

// resume says that the store has rows up to a position.
func (l *ledger) resume(position int64) {
	if !l.started {
		l.started, l.first, l.last, l.turn = true, position, position, position
	}
}

// add takes a row by its id and by its position: what orders the rows.
func (l *ledger) add(id, position int64) verdict {
	known := !l.remember(id)
	switch {
	case known:
		return duplicate
	case !l.started:
		l.resume(position)
		return fresh
	case position < l.first:
		return history
	case position < l.last:
		return late
	}
	l.last = position
	return fresh
}

// remember reports whether the id is new.
func (l *ledger) remember(id int64) bool {
	n := len(l.ids)
	switch {
	case n == 0 || id > l.ids[n-1]:
		l.ids = append(l.ids, id)
	default:
		i, known := slices.BinarySearch(l.ids, id)
		if known {
			return false
		}
		l.ids = slices.Insert(l.ids, i, id)
	}
	if len(l.ids) == 2*remembered {
		l.ids = append(l.ids[:0], l.ids[remembered:]...)
		l.first, l.turn = max(l.first, l.turn), l.last
	}
	return true
}
