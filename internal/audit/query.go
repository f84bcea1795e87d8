package audit

import (
	"slices"
	"strings"
	"time"
)

// Query picks findings. Its zero value is all of them.
type Query struct {
	// Series has what a finding's series must have; empty fields are any.
	Series Series
	Kind   Kind
	Cause  Cause
	// State is "open", "closed" or empty.
	State string
	// Words must all be in what a finding says, in any case.
	Words []string
	// From and To are a stretch that a finding must touch; zero is no bound.
	From, To time.Time
	// Offset and Limit are a page; no limit is the rest.
	Offset, Limit int
	// Brief leaves out evidence and plans, which are most of the bytes.
	Brief bool
}

// The states of findings.
const (
	Open   = "open"
	Closed = "closed"
)

// Findings returns what is open, and what was, the newest first.
func (a *Auditor) Findings() []Record { return a.Find(Query{}) }

// Find returns the findings of a query: what is open first, the newest first.
func (a *Auditor) Find(q Query) []Record {
	for i, word := range q.Words {
		q.Words[i] = strings.ToLower(word)
	}
	found := []Record{}
	a.mu.Lock()
	for _, w := range a.watches {
		for _, r := range w.book.records {
			if q.takes(r) {
				found = append(found, *r)
			}
		}
	}
	a.mu.Unlock()
	sortRecords(found)
	found = found[min(q.Offset, len(found)):]
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	if q.Brief {
		for i := range found {
			found[i].Evidence, found[i].Plan, found[i].Handover = "", nil, nil
		}
	}
	return found
}

func (q *Query) takes(r *Record) bool {
	switch {
	case q.State != "" && r.open() != (q.State == Open),
		q.Kind != "" && r.Kind != q.Kind,
		q.Cause != "" && r.Cause != q.Cause,
		!q.To.IsZero() && !r.From.Before(q.To),
		// A row without an interval is a moment.
		!q.From.IsZero() && !r.To.After(q.From) && r.From.Before(q.From),
		!r.concerns(q.Series):
		return false
	}
	if len(q.Words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join(slices.Concat(
		[]string{r.Series.String(), r.Series.Source, string(r.Kind), string(r.Cause), r.Evidence}, r.Symbols), " "))
	return !slices.ContainsFunc(q.Words, func(word string) bool { return !strings.Contains(text, word) })
}

// concerns is whether a finding is about a series, of which empty fields are any.
func (f *Finding) concerns(s Series) bool {
	is := func(want, has string) bool { return want == "" || want == has }
	return is(s.Source, f.Series.Source) && is(s.Dataset, f.Series.Dataset) && is(s.Market, f.Series.Market) &&
		is(s.Account, f.Series.Account) && is(string(s.Interval), string(f.Series.Interval)) &&
		(is(s.Symbol, f.Series.Symbol) || slices.Contains(f.Symbols, s.Symbol))
}
