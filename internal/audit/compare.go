package audit

import (
	"fmt"
	"time"
)

// CompareKlines holds the platform's bars against the exchange's own of the same
// range: the strongest check, and the one that costs requests. Both are in the
// order of time, without duplicates. Bars that both lack are the exchange's.
func CompareKlines(s Series, ours, theirs []Kline, from, to time.Time) []Finding {
	c := comparison{series: s, calendar: newCalendar(s.Interval)}
	end := to.UnixMicro()
	i, j := 0, 0
	at := from.UnixMicro()
	for i < len(ours) || j < len(theirs) {
		next := end
		if i < len(ours) {
			next = min(next, ours[i].OpenTime)
		}
		if j < len(theirs) {
			next = min(next, theirs[j].OpenTime)
		}
		if next >= end {
			break
		}
		c.neither(at, next)
		has, should := i < len(ours) && ours[i].OpenTime == next, j < len(theirs) && theirs[j].OpenTime == next
		switch {
		case has && should:
			if fields, evidence := ours[i].differences(&theirs[j]); len(fields) > 0 {
				c.report(Mismatch, Platform, next, fields, evidence)
			}
		case should:
			c.report(Missing, Platform, next, nil, "the exchange has these bars")
		default:
			c.report(Extra, Platform, next, nil, "the exchange has no such bar")
		}
		if has {
			i++
		}
		if should {
			j++
		}
		at = c.calendar.next(next)
	}
	c.neither(at, end)
	return c.findings
}

type comparison struct {
	series   Series
	calendar calendar
	findings []Finding
}

func (c *comparison) neither(from, to int64) {
	if n := c.calendar.count(from, to); n > 0 {
		c.findings = append(c.findings, Finding{
			Series: c.series, Kind: Missing, Cause: Exchange, From: micro(from), To: micro(to), Count: n,
			Evidence: "the exchange has none either",
		})
	}
}

// report adds a row to the finding that it goes on from, or begins a new one.
func (c *comparison) report(kind Kind, cause Cause, at int64, fields []string, evidence string) {
	from, to := micro(at), micro(c.calendar.next(at))
	if n := len(c.findings); n > 0 {
		last := &c.findings[n-1]
		if last.Kind == kind && last.Cause == cause && last.To.Equal(from) && fmt.Sprint(last.Fields) == fmt.Sprint(fields) {
			last.To = to
			last.Count++
			return
		}
	}
	c.findings = append(c.findings, Finding{
		Series: c.series, Kind: kind, Cause: cause, From: from, To: to, Count: 1, Fields: fields, Evidence: evidence,
	})
}
