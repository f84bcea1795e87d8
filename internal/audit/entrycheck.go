package audit

import (
	"fmt"
	"slices"
	"time"
)

// recentKeys is how many keys are remembered to find rows that are there again:
// a row and its double are close to each other in time.
const recentKeys = 1 << 16

// EntryCheck holds rows with ids against themselves. Ids of public trades leave
// none out, where the exchange promises so; those of one account do, and need
// [CompareEntries].
type EntryCheck struct {
	// LateAfter is how long after its time a row may be stored; zero does not
	// look.
	LateAfter time.Duration

	series Series
	rules  idRules

	rows        int64
	first, last int64 // times
	greatest    int64 // id
	prev        Entry
	slowest     time.Duration
	recent      map[key]Entry
	order       []key // of recent, as a ring
	next        int
	findings    []Finding
	suppressed  int64
}

// idRules is what the exchange promises of ids; measured, and API docs 2026-07.
type idRules struct {
	contiguous bool // Each id is the one before plus one.
	ranges     bool // Each first trade is the last one before plus one.
}

// rulesOf knows that USDⓈ-M leaves out trades of the insurance fund and of
// auto-deleveraging: their ids are holes in trades and between aggregate trades.
func rulesOf(s Series) idRules {
	spot := s.Market == "spot"
	switch s.Dataset {
	case Trades:
		return idRules{contiguous: spot}
	case AggTrades:
		return idRules{contiguous: true, ranges: spot}
	}
	return idRules{}
}

// NewEntryCheck begins a check.
func NewEntryCheck(s Series) *EntryCheck {
	return &EntryCheck{series: s, rules: rulesOf(s), recent: map[key]Entry{}}
}

// Add takes the next row, in the order of time and id.
func (c *EntryCheck) Add(e *Entry) {
	c.rows++
	if c.rows == 1 {
		c.first = e.Time
	}
	c.last = max(c.last, e.Time)
	if e.Broken != "" {
		c.report(Mismatch, e, 1, nil, e.Broken)
		return
	}
	if before, again := c.recent[e.key()]; again {
		c.again(e, &before)
		return
	}
	c.remember(e)
	if e.CreatedAt != 0 {
		c.late(e)
	}
	if fields, evidence := e.flaws(c.series.Dataset); len(fields) > 0 {
		c.report(Mismatch, e, 1, fields, evidence)
	}
	if c.rows > 1 {
		c.continuity(e)
	}
	c.greatest = max(c.greatest, e.ID)
	c.prev = *e
}

func (c *EntryCheck) again(e, before *Entry) {
	if fields, _ := e.differences(c.series.Dataset, before); len(fields) > 0 {
		c.report(Duplicate, e, 1, fields, e.key().String()+" is there again, with other values")
		return
	}
	c.report(Duplicate, e, 1, nil, e.key().String()+" is there again, with the same values")
}

func (c *EntryCheck) remember(e *Entry) {
	if len(c.order) < recentKeys {
		c.order = append(c.order, e.key())
	} else {
		delete(c.recent, c.order[c.next])
		c.order[c.next] = e.key()
		c.next = (c.next + 1) % recentKeys
	}
	c.recent[e.key()] = *e
}

func (c *EntryCheck) late(e *Entry) {
	lag := time.Duration(e.CreatedAt-e.Time) * time.Microsecond
	c.slowest = max(c.slowest, lag)
	if c.LateAfter > 0 && lag > c.LateAfter {
		c.report(Late, e, 1, nil, fmt.Sprintf("%s was stored %s after it happened", e.key(), lag.Round(time.Second)))
	}
}

// repaired entries stand where the exchange took back what it had sent twice.
func (e *Entry) repaired() bool { return e.HasRange && e.FirstID == -1 && e.LastID == -1 }

// flaws are contradictions inside one row.
func (e *Entry) flaws(dataset string) (fields []string, evidence string) {
	if e.repaired() || dataset == Incomes {
		return nil, ""
	}
	for i, name := range AmountsOf(dataset)[:2] { // price and quantity
		if e.Known&(1<<i) != 0 && (e.Amounts[i].hi < 0 || e.Amounts[i].IsZero()) {
			return []string{name}, fmt.Sprintf("%s of %s is %s", name, e.key(), e.Amounts[i])
		}
	}
	if e.HasRange && e.LastID < e.FirstID {
		return []string{"last_id"}, fmt.Sprintf("%s ends at trade %d, before its first one %d", e.key(), e.LastID, e.FirstID)
	}
	return nil, ""
}

func (c *EntryCheck) continuity(e *Entry) {
	gap := e.ID - c.prev.ID - 1
	switch {
	case gap < 0 && c.rules.contiguous:
		c.report(Order, e, 1, nil, fmt.Sprintf("id %d comes after %d, and not before it in time", e.ID, c.prev.ID))
	case gap > 0 && c.rules.contiguous:
		c.keep(missingIDs(c.series, idRun{c.prev.ID + 1, e.ID - 1}, micro(c.prev.Time), micro(e.Time)))
	case c.rules.ranges && gap == 0 && e.HasRange && c.prev.HasRange && !e.repaired() && !c.prev.repaired() && e.FirstID != c.prev.LastID+1:
		c.report(Mismatch, e, 1, []string{"first_id"}, fmt.Sprintf("%s begins with trade %d, the one before ends with %d", e.key(), e.FirstID, c.prev.LastID))
	}
}

func (c *EntryCheck) report(kind Kind, e *Entry, count int64, fields []string, evidence string) {
	if n := len(c.findings); n > 0 {
		last := &c.findings[n-1]
		if last.Kind == kind && kind == Late && slices.Equal(last.Fields, fields) {
			last.To, last.Count = micro(e.Time), last.Count+1
			return
		}
	}
	c.keep(Finding{Series: c.series, Kind: kind, Cause: Platform, From: micro(e.Time), To: micro(e.Time), Count: count, Fields: fields, Evidence: evidence})
}

func (c *EntryCheck) keep(f Finding) {
	if len(c.findings) == maxFindings {
		c.suppressed++
		return
	}
	c.findings = append(c.findings, f)
}

// Unread says that nothing from here to then could be read, and why.
func (c *EntryCheck) Unread(from, until time.Time, why error) {
	c.keep(Finding{Series: c.series, Kind: Unchecked, Cause: Unknown, From: from, To: until, Evidence: why.Error()})
}

// Slowest is the longest time from an event to its row.
func (c *EntryCheck) Slowest() time.Duration { return c.slowest }

// Result ends the check; from and to are the range that was read.
func (c *EntryCheck) Result(from, to time.Time) Result {
	if from.IsZero() {
		from = micro(c.first)
	}
	if to.IsZero() {
		to = micro(c.last)
	}
	r := Result{Series: c.series, Rows: c.rows, From: from, To: to, Findings: c.findings}
	if c.suppressed > 0 {
		r.Findings = append(r.Findings, Finding{
			Series: c.series, Kind: Unchecked, Cause: Unknown, From: from, To: to, Count: c.suppressed,
			Evidence: fmt.Sprintf("more than %d findings in one series; mend those first", maxFindings),
		})
	}
	return r
}

// CompareEntries holds the platform's rows against the exchange's of the same
// range; both may be in any order and are sorted. Rows that are there twice are
// [EntryCheck]'s to find.
func CompareEntries(s Series, ours, theirs []Entry) []Finding {
	byKey := func(a, b Entry) int { return a.key().compare(b.key()) }
	slices.SortStableFunc(ours, byKey)
	slices.SortStableFunc(theirs, byKey)
	var findings []Finding
	report := func(kind Kind, e *Entry, fields []string, evidence string) {
		findings = append(findings, Finding{
			Series: s, Kind: kind, Cause: Platform, From: micro(e.Time), To: micro(e.Time), Count: 1, Fields: fields,
			Evidence: e.key().String() + ": " + evidence,
		})
	}
	i, j := 0, 0
	for i < len(ours) || j < len(theirs) {
		order := 0
		switch {
		case i == len(ours):
			order = 1
		case j == len(theirs):
			order = -1
		default:
			order = ours[i].key().compare(theirs[j].key())
		}
		switch {
		case order > 0:
			report(Missing, &theirs[j], nil, "the exchange has it")
			j++
			continue
		case order < 0:
			report(Extra, &ours[i], nil, "the exchange has no such row")
		default:
			if fields, evidence := ours[i].differences(s.Dataset, &theirs[j]); len(fields) > 0 {
				report(Mismatch, &ours[i], fields, evidence)
			}
			j++
		}
		k := ours[i].key()
		for i < len(ours) && ours[i].key() == k {
			i++
		}
	}
	sortFindings(findings)
	return findings
}
