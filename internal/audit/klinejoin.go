package audit

import "slices"

// Join goes on with the rows that next has checked by itself, as if they had been
// added one by one. It reports false, and changes nothing, if they are in no order, or
// one belongs before the end of the rows so far: then they have to be added.
//
// For example, files of a day are checked by several processors at once, and joined
// in the order of time.
func (c *KlineCheck) Join(next *KlineCheck) bool {
	switch {
	case next.rows == 0:
		return true
	case next.disordered, c.rows > 0 && next.first <= c.last:
		return false
	case c.rows == 0:
		c.first = next.first
	default:
		if expected := c.calendar.next(c.last); expected < next.first {
			c.gap(expected, next.first)
		}
	}
	if idle := c.idleFrom; idle != 0 { // Nobody had traded before either.
		for i := range next.gaps {
			if next.gaps[i].idleFrom == next.first {
				next.gaps[i].idleFrom = idle
			}
		}
		if next.idleFrom == next.first {
			next.idleFrom = idle
		}
	}
	for _, g := range next.gaps {
		if len(c.gaps) == maxFindings {
			c.suppressed++
			continue
		}
		c.gaps = append(c.gaps, g)
	}
	for _, f := range next.findings {
		c.keep(f)
	}
	c.rows += next.rows
	c.suppressed += next.suppressed
	c.last, c.prev, c.idleFrom, c.lastID = next.last, next.prev, next.idleFrom, next.lastID
	return true
}

// keep adds a finding, to one before if it goes on from it.
func (c *KlineCheck) keep(f Finding) {
	for i := len(c.findings) - 1; i >= max(0, len(c.findings)-4); i-- {
		last := &c.findings[i]
		if last.Kind == f.Kind && f.Kind != Unchecked && last.To.Equal(f.From) && slices.Equal(last.Fields, f.Fields) {
			last.To = f.To
			last.Count += f.Count
			return
		}
	}
	if len(c.findings) == maxFindings {
		c.suppressed++
		return
	}
	c.findings = append(c.findings, f)
}
