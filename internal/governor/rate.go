package governor

import "time"

// rateSpan is how far back the present rate looks.
const rateSpan = 10 * time.Second

// marks are what was used at the last seconds, to tell the present rate. A burst at
// a window's start is history after ten seconds, where the average of the window
// would still foretell its end.
type marks struct {
	last [12]mark
	n    int
}

type mark struct {
	at   time.Time
	used int64
}

// note remembers a count, once a second.
func (m *marks) note(at time.Time, used int64) {
	if m.n > 0 && at.Sub(m.last[(m.n-1)%len(m.last)].at) < time.Second {
		return
	}
	m.last[m.n%len(m.last)] = mark{at, used}
	m.n++
}

// rate is the weight per second of the last ten seconds.
func (b *budget) rate(at time.Time) float64 {
	used := b.used(&b.cur)
	start := b.startOf(b.cur.index)
	if at.Sub(start) < rateSpan {
		// What the window before had used at its end says nothing; its average does.
		before := float64(max(b.prev.own, b.prev.header)) / b.length.Seconds()
		return max(before, float64(used)/rateSpan.Seconds())
	}
	oldest := mark{at: start}
	for i := max(0, b.marks.n-len(b.marks.last)); i < b.marks.n; i++ {
		m := b.marks.last[i%len(b.marks.last)]
		if m.at.Before(start) || at.Sub(m.at) < rateSpan {
			continue
		}
		if m.at.After(oldest.at) {
			oldest = m
		}
	}
	span := at.Sub(oldest.at).Seconds()
	return max(0, float64(used-oldest.used)/span)
}
