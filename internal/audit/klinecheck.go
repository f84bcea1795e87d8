package audit

import (
	"fmt"
	"slices"
	"time"
)

// maxFindings bounds what one series can report; the rest is counted.
const maxFindings = 10_000

// KlineCheck holds the rows of one series against themselves: each bar against
// its own fields, and the sequence against the calendar. It takes rows one by
// one, keeps none but the last, and costs no request.
type KlineCheck struct {
	// LateAfter is how long after its bar has closed a row may be stored; zero
	// does not look. It needs Kline.CreatedAt.
	LateAfter time.Duration

	series   Series
	calendar calendar

	rows        int64
	first, last int64 // open times of the earliest and latest row, on the grid
	prev        Kline
	lastID      int64 // of the trades so far, if each bar was there; else 0
	disordered  bool  // A row came after later ones.
	idleFrom    int64 // of the bars without a trade that end at prev; 0: none
	gaps        []gap
	findings    []Finding
	suppressed  int64
}

// gap is a range of bars that are not there, and what preceded it.
type gap struct {
	from, to int64
	// idleFrom is the first of the bars without a trade that lead to the gap, 0
	// if there are none; cutShort is the early close time of the last one.
	idleFrom, cutShort int64
	// file is the archive that ends here before its time; else empty.
	file string
	// unread: nobody knows whether the bars are there; it is reported already.
	unread bool
}

// NewKlineCheck begins a check. Its error is for an unknown interval.
func NewKlineCheck(s Series) (*KlineCheck, error) {
	if err := s.Interval.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return &KlineCheck{series: s, calendar: newCalendar(s.Interval)}, nil
}

// Add takes the next row in the order of the source. wrongUnit says that its
// time was not in the unit of the rows around it.
func (c *KlineCheck) Add(k *Kline, wrongUnit bool) {
	c.rows++
	at := c.slot(k.OpenTime)
	if k.Broken != "" {
		c.report(Mismatch, Platform, at, nil, k.Broken)
	} else if f := k.flaws(c.calendar); f != 0 {
		fields, evidence := f.describe(k)
		c.report(Mismatch, Platform, at, fields, evidence)
	}
	if wrongUnit {
		c.report(WrongUnit, Platform, at, []string{"open_time"}, "the time is in another unit than those around it")
	}
	if c.LateAfter > 0 && k.CreatedAt != 0 {
		if late := time.Duration(k.CreatedAt-c.calendar.next(at)) * time.Microsecond; late > c.LateAfter {
			c.report(Late, Platform, at, nil, fmt.Sprintf("stored %s after its bar had closed", late.Round(time.Second)))
		}
	}
	switch expected := c.calendar.next(c.last); {
	case c.rows == 1:
		c.first = at
	case at == expected:
	case at > expected:
		c.gap(expected, at)
		c.lastID = 0
	case at == c.last:
		c.again(k, at)
		return
	default:
		c.former(at)
		return
	}
	if k.Broken == "" {
		c.tradeIDs(k, at)
	}
	c.idle(k, at)
	c.last, c.prev = at, *k
}

// tradeIDs holds the ids of a bar's trades against their number, and against those of
// the bars right before. Futures leave ids out, spot none; measured, 2026-11.
func (c *KlineCheck) tradeIDs(k *Kline, at int64) {
	if k.Has&HasTradeIDs == 0 || k.FirstID < 0 || k.LastID < 0 {
		if k.Has&HasTrades == 0 || k.Trades != 0 {
			c.lastID = 0 // Without a trade, the next bar goes on from the one before.
		}
		return
	}
	n, expected := k.LastID-k.FirstID+1, c.lastID+1
	spot := c.series.Market == "spot"
	switch {
	case n < 1 || k.Has&HasTrades != 0 && (k.Trades > n || spot && k.Trades < n):
		c.report(Mismatch, Platform, at, []string{"trades", "first_id", "last_id"}, fmt.Sprintf("trades %d to %d are not %d", k.FirstID, k.LastID, k.Trades))
	case c.lastID != 0 && (k.FirstID < expected || spot && k.FirstID > expected):
		c.report(Mismatch, Platform, at, []string{"first_id"}, fmt.Sprintf("the bar begins with trade %d, the one before ends with %d", k.FirstID, c.lastID))
	}
	c.lastID = k.LastID
}

// slot is the start of the interval that holds t.
func (c *KlineCheck) slot(t int64) int64 {
	if c.calendar.free || c.calendar.aligned(t) {
		return t
	}
	if c.calendar.step == 0 {
		at := time.UnixMicro(t).UTC()
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	}
	return t - (t-c.calendar.offset)%c.calendar.step
}

// idle remembers how long nobody has traded.
func (c *KlineCheck) idle(k *Kline, at int64) {
	switch {
	case k.Has&HasTrades == 0 || k.Trades != 0:
		c.idleFrom = 0
	case c.idleFrom == 0:
		c.idleFrom = at
	}
}

func (c *KlineCheck) gap(from, to int64) { c.addGap(gap{from: from, to: to}) }

func (c *KlineCheck) addGap(g gap) {
	g.idleFrom = c.idleFrom
	if c.prev.truncated(c.calendar) {
		g.cutShort = c.prev.CloseTime
	}
	if len(c.gaps) == maxFindings {
		c.suppressed++
		return
	}
	c.gaps = append(c.gaps, g)
}

// FileEnds says that the rows so far are from files that hold all bars until
// then. A file that ends sooner was cut off.
func (c *KlineCheck) FileEnds(name string, until time.Time) {
	if next := c.calendar.next(c.last); c.rows > 0 && next < until.UnixMicro() {
		c.addGap(gap{from: next, to: until.UnixMicro(), file: name})
		c.resume(until)
	}
}

// Unread says that what follows, until then, could not be read, and why: it is
// unknown, neither missing nor verified. from is where to begin if no row was read.
func (c *KlineCheck) Unread(from, until time.Time, why error) {
	if c.rows > 0 {
		from = micro(c.calendar.next(c.last))
	}
	c.findings = append(c.findings, Finding{
		Series: c.series, Kind: Unchecked, Cause: Unknown, From: from, To: until,
		Count: c.calendar.count(from.UnixMicro(), until.UnixMicro()), Evidence: why.Error(),
	})
	if c.rows > 0 && from.Before(until) {
		c.addGap(gap{from: from.UnixMicro(), to: until.UnixMicro(), unread: true})
		c.resume(until)
	}
}

// resume goes on with the row at the given time.
func (c *KlineCheck) resume(at time.Time) {
	for t := c.last; t < at.UnixMicro(); t = c.calendar.next(t) {
		c.last = t
	}
	c.prev, c.idleFrom, c.lastID = Kline{}, 0, 0
}

// again reports a row whose bar was the last one too.
func (c *KlineCheck) again(k *Kline, at int64) {
	fields, _ := k.differences(&c.prev)
	if len(fields) == 0 {
		c.report(Duplicate, Platform, at, nil, "the row is there again, with the same values")
		return
	}
	c.report(Duplicate, Platform, at, fields, "the row is there again, with other values")
}

// former places a row that comes after later ones.
func (c *KlineCheck) former(at int64) {
	c.disordered = true
	if at < c.first {
		c.report(Order, Platform, at, nil, "the row comes after the one of "+showTime(c.last))
		if next := c.calendar.next(at); next < c.first {
			c.gaps = slices.Insert(c.gaps, 0, gap{from: next, to: c.first})
		}
		c.first = at
		return
	}
	for i := len(c.gaps) - 1; i >= 0 && c.gaps[i].to > at; i-- {
		g := c.gaps[i]
		if at < g.from {
			continue
		}
		c.report(Order, Platform, at, nil, "the row comes after the one of "+showTime(c.last))
		before, after := g, gap{from: c.calendar.next(at), to: g.to}
		before.to = at
		rest := slices.DeleteFunc([]gap{before, after}, func(g gap) bool { return g.from >= g.to })
		c.gaps = slices.Replace(c.gaps, i, i+1, rest...)
		return
	}
	c.report(Duplicate, Platform, at, nil, "the row is there again, further on")
}

// report adds a finding of one row.
func (c *KlineCheck) report(kind Kind, cause Cause, at int64, fields []string, evidence string) {
	c.keep(Finding{
		Series: c.series, Kind: kind, Cause: cause, From: micro(at), To: micro(c.calendar.next(at)), Count: 1, Fields: fields, Evidence: evidence,
	})
}

// Result is what a check has found in one series; gaps have no cause yet.
type Result struct {
	Series Series
	// Rows is how many there were, From and To the range that was looked at.
	Rows     int64
	From, To time.Time
	// Findings are those that need no other series to be judged.
	Findings []Finding

	calendar calendar
	gaps     []gap
	newest   time.Time // the end of the newest bar
}

// Result ends the check. A from and to that are not zero are the range in which
// all bars should be; else it is that of the rows.
func (c *KlineCheck) Result(from, to time.Time) Result {
	r := Result{Series: c.series, Rows: c.rows, calendar: c.calendar}
	first, end := c.first, c.calendar.next(c.last)
	switch {
	case c.rows > 0:
	case from.IsZero() || to.IsZero() || len(c.findings) > 0:
		r.Findings = c.findings // Nothing could be read.
		return r
	default:
		first, end = c.ceil(from), c.ceil(from)
	}
	if !to.IsZero() && to.UnixMicro() > end {
		c.gap(end, to.UnixMicro())
		end = to.UnixMicro()
	}
	if !from.IsZero() && c.ceil(from) < first {
		c.gaps = slices.Insert(c.gaps, 0, gap{from: c.ceil(from), to: first})
		first = c.ceil(from)
	}
	r.gaps, r.Findings = c.gaps, c.findings
	if c.suppressed > 0 {
		r.Findings = append(r.Findings, Finding{
			Series: c.series, Kind: Unchecked, Cause: Unknown, From: micro(first), To: micro(end), Count: c.suppressed,
			Evidence: fmt.Sprintf("more than %d findings in one series; mend those first", maxFindings),
		})
	}
	r.From, r.To = micro(first), micro(end)
	return r
}

// Incomplete reports whether some of the series could not be read.
func (r *Result) Incomplete() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind == Unchecked })
}

// ceil is the first bar that starts at t or later.
func (c *KlineCheck) ceil(t time.Time) int64 {
	us := t.UnixMicro()
	if at := c.slot(us); at < us {
		return c.calendar.next(at)
	}
	return us
}
