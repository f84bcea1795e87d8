package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Public trades, single and aggregated, have ids that leave none out. A hole of ids
// in a table is mostly the platform's loss; the exchange, asked by id, knows which of
// them it has. What a table lacks at its end is asked for as well: a crawler that has
// stopped leaves no hole.

const (
	// tailAfter is how long after its newest row a table may be waiting for the next
	// trade before the exchange is asked whether there was one.
	tailAfter = time.Minute
	// countAfter is how often the trades of 24 hours are counted.
	countAfter = 12 * time.Hour
)

func (s Series) public() bool { return s.Dataset == Trades || s.Dataset == AggTrades }

// idRun is ids from first to last.
type idRun struct{ first, last int64 }

// lacking returns what of first to last is in none of the runs.
func lacking(runs []idRun, first, last int64) []idRun {
	slices.SortFunc(runs, func(a, b idRun) int { return cmp.Compare(a.first, b.first) })
	var gaps []idRun
	for _, r := range runs {
		if r.first > last {
			break
		}
		if r.first > first {
			gaps = append(gaps, idRun{first, r.first - 1})
		}
		first = max(first, r.last+1)
	}
	if first <= last {
		gaps = append(gaps, idRun{first, last})
	}
	return gaps
}

// missingIDs is the finding of ids that are not there, between rows of two times.
func missingIDs(s Series, ids idRun, from, to time.Time) Finding {
	return Finding{
		Series: s, Kind: Missing, Cause: Platform, From: from, To: to, Count: ids.last - ids.first + 1, FirstID: ids.first, LastID: ids.last,
		Evidence: fmt.Sprintf("ids %d to %d are not there", ids.first, ids.last),
	}
}

// publicPath is where the exchange shows trades by id; empty if it does not without
// a key.
func publicPath(s Series) string {
	switch s.Dataset {
	case AggTrades:
		return map[string]string{"spot": "/api/v3/aggTrades", "usdm": "/fapi/v1/aggTrades", "coinm": "/dapi/v1/aggTrades"}[s.Market]
	case Trades:
		return map[string]string{"spot": "/api/v3/historicalTrades"}[s.Market]
	}
	return ""
}

// idRequests are the requests for ids, in full pages.
func idRequests(s Series, ids idRun) []request {
	path := publicPath(s)
	var list []request
	for at := ids.first; path != "" && at <= ids.last && len(list) <= maxPlanned; at += pageEntries {
		list = append(list, request{path, url.Values{
			"symbol": {s.Symbol}, "fromId": {strconv.FormatInt(at, 10)}, "limit": {strconv.FormatInt(min(pageEntries, ids.last-at+1), 10)},
		}})
	}
	return list
}

// publicRow is a trade or an aggregate trade as the exchange writes it; API docs,
// "Old trade lookup" and "Compressed/Aggregate trades list", 2026-07.
type publicRow struct {
	ID      json.Number `json:"id"`
	Price   json.Number `json:"price"`
	Qty     json.Number `json:"qty"`
	Time    int64       `json:"time"`
	AggID   json.Number `json:"a"`
	P       json.Number `json:"p"`
	Q       json.Number `json:"q"`
	First   int64       `json:"f"`
	Last    int64       `json:"l"`
	AggTime int64       `json:"T"`
}

func (r publicRow) entry(dataset string) (e Entry, err error) {
	id, at, numbers := r.ID, r.Time, []json.Number{r.Price, r.Qty}
	if dataset == AggTrades {
		id, at, numbers = r.AggID, r.AggTime, []json.Number{r.P, r.Q}
		e.HasRange, e.FirstID, e.LastID = true, r.First, r.Last
	}
	var errs []error
	e.ID, err = id.Int64()
	errs = append(errs, err)
	e.Time, _, err = Micros(at)
	errs = append(errs, err)
	for i, n := range numbers {
		e.Known |= 1 << i
		e.Amounts[i], err = ParseDecimal([]byte(n))
		errs = append(errs, err)
	}
	return e, errors.Join(errs...)
}

// byID returns a page of trades, which begins with an id or, if the exchange has none
// of it, the next one.
func (x *exchange) byID(ctx context.Context, s Series, first, limit int64) ([]Entry, error) {
	requests := idRequests(s, idRun{first, first + limit - 1})
	if len(requests) == 0 {
		return nil, fmt.Errorf("%s of market %s cannot be asked for by id", s.Dataset, s.Market)
	}
	var page []publicRow
	if err := x.get(ctx, s.Market, requests[0].path, requests[0].query, nil, &page); err != nil {
		return nil, err
	}
	var entries []Entry
	for _, row := range page {
		e, err := row.entry(s.Dataset)
		if err != nil {
			return nil, fmt.Errorf("row of the exchange for %s: %w", s, err)
		}
		if e.ID >= first {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// confirmIDs asks the exchange for ids that a table lacks, and splits the finding into
// what was lost and what nobody has. Of more than two pages the first and the last one
// are asked for.
func (w *watch) confirmIDs(ctx context.Context, f Finding) ([]Finding, error) {
	ids := idRun{f.FirstID, f.LastID}
	pages := []idRun{{ids.first, min(ids.last, ids.first+pageEntries-1)}}
	if rest := pages[0].last + 1; rest <= ids.last {
		pages = append(pages, idRun{max(rest, ids.last-pageEntries+1), ids.last})
	}
	var theirs []Entry
	var had []idRun
	for i, page := range pages {
		entries, err := w.a.exchange.byID(ctx, f.Series, page.first, page.last-page.first+1)
		if err != nil {
			return nil, err
		}
		// Rows behind the hole are stored, so the exchange has had some: an answer that
		// ends before its end proves nothing.
		if n := len(entries); n == 0 || int64(n) < page.last-page.first+1 && entries[n-1].ID < page.last {
			return nil, fmt.Errorf("it shows %d of the ids from %d on, and none behind them", n, page.first)
		}
		if i == 1 && page.first > pages[0].last+1 {
			had = append(had, idRun{pages[0].last + 1, page.first - 1}) // Was not asked for.
		}
		for _, e := range entries {
			if e.ID <= page.last {
				theirs = append(theirs, e)
				had = append(had, idRun{e.ID, e.ID})
			}
		}
	}
	none := lacking(had, ids.first, ids.last)
	var findings []Finding
	for _, gap := range none {
		one := missingIDs(f.Series, gap, f.From, f.To)
		one.Cause, one.Evidence = Exchange, fmt.Sprintf("the exchange leaves out ids %d to %d", gap.first, gap.last)
		findings = append(findings, one)
	}
	for _, run := range lacking(none, ids.first, ids.last) {
		one := missingIDs(f.Series, run, f.From, f.To)
		one.Evidence = fmt.Sprintf("the exchange has ids %d to %d", run.first, run.last)
		if run.last-run.first >= 2*pageEntries {
			one.Evidence += ", of which the first and the last thousand were asked for"
		}
		if i := slices.IndexFunc(theirs, func(e Entry) bool { return e.ID == run.first }); i >= 0 {
			one.From = micro(theirs[i].Time)
		}
		if i := slices.IndexFunc(theirs, func(e Entry) bool { return e.ID == run.last }); i >= 0 {
			one.To = micro(theirs[i].Time)
		}
		findings = append(findings, one)
	}
	sortFindings(findings)
	return findings, nil
}

// settleIDs asks the exchange about holes of ids that are new, and returns what it has
// confirmed and what it was not asked about.
func (w *watch) settleIDs(ctx context.Context, findings []Finding) (confirmed, others []Finding) {
	asked := 0
	for _, f := range findings {
		if f.LastID == 0 {
			others = append(others, f)
			continue
		}
		w.a.mu.Lock()
		known := w.book.holdsIDs(&f)
		w.a.mu.Unlock()
		if known {
			continue
		}
		if w.Compare && publicPath(f.Series) != "" && asked < maxConfirm {
			asked++
			verdict, err := w.confirmIDs(ctx, f)
			if err == nil {
				confirmed = append(confirmed, verdict...)
				continue
			}
			f.Evidence += "; the exchange does not say whether it has them: " + err.Error()
		}
		others = append(others, f)
	}
	return confirmed, others
}

// stillLacking returns what is left of missing ids, and whether the exchange was asked
// about all of it.
func (w *watch) stillLacking(ctx context.Context, r *Record) (left []Finding, asked bool, err error) {
	there, err := w.storedIDs(ctx, r.Series, r.From, r.To)
	if err != nil {
		return nil, false, err
	}
	for _, gap := range lacking(there, r.FirstID, r.LastID) {
		one := r.Finding
		one.FirstID, one.LastID, one.Count = gap.first, gap.last, gap.last-gap.first+1
		left = append(left, one)
	}
	if r.Confirmed || !w.Compare || publicPath(r.Series) == "" {
		return left, r.Confirmed, nil
	}
	var verdict []Finding
	for _, one := range left {
		v, err := w.confirmIDs(ctx, one)
		if err != nil {
			return nil, false, err
		}
		verdict = append(verdict, v...)
	}
	return verdict, true, nil
}

// storedIDs are the ids of the rows from one time to another, both included.
func (w *watch) storedIDs(ctx context.Context, s Series, from, to time.Time) (there []idRun, err error) {
	// Times of bounds may be rounded.
	err = w.rows.Entries(ctx, s, from.Add(-time.Second), to.Add(time.Second), func(e *Entry) {
		switch n := len(there); {
		case e.Broken != "":
		case n > 0 && there[n-1].last+1 == e.ID:
			there[n-1].last = e.ID
		default:
			there = append(there, idRun{e.ID, e.ID})
		}
	})
	return there, err
}

// comparePublic asks the exchange what an audit of the rows themselves cannot see: the
// trades after the newest row, and how many there were in 24 hours.
func (w *watch) comparePublic(ctx context.Context, p *progress, now time.Time) (done bool, err error) {
	if publicPath(p.Series) == "" || now.Sub(p.RefusedAt) < accountAfter {
		return false, nil
	}
	behind := p.Until.Sub(p.Newest)
	if !p.Newest.IsZero() && behind > tailAfter && now.Sub(p.ComparedAt) >= min(max(behind/2, tailAfter), time.Hour) {
		return true, w.compareTail(ctx, p, now)
	}
	if p.Series.Dataset == Trades && p.Series.Market == "spot" && now.Sub(p.CountedAt) >= countAfter {
		return true, w.compareCount(ctx, p, now)
	}
	return false, nil
}

// compareTail looks for trades behind the newest row that should be stored by now.
func (w *watch) compareTail(ctx context.Context, p *progress, now time.Time) error {
	w.a.mu.Lock()
	last := w.lastKnown(p)
	w.a.mu.Unlock()
	theirs, err := w.a.exchange.byID(ctx, p.Series, last+1, pageEntries)
	if err != nil {
		return err
	}
	theirs = slices.DeleteFunc(theirs, func(e Entry) bool { return !micro(e.Time).Before(p.Until) })
	if n := len(theirs); n > 0 {
		f := missingIDs(p.Series, idRun{last + 1, theirs[n-1].ID}, micro(theirs[0].Time), micro(theirs[n-1].Time))
		f.Evidence = fmt.Sprintf("the exchange has them; the newest row is id %d of %s", p.NewestID, p.Newest.Format(timeFormat))
		w.add(now, []Finding{f}, true)
	}
	w.update(p.Series, func(p *progress) { p.ComparedAt, p.RefusedAt = now, time.Time{} })
	return nil
}

// ticker is what the exchange counts in 24 hours.
type ticker struct {
	From  int64 `json:"openTime"`
	To    int64 `json:"closeTime"`
	First int64 `json:"firstId"`
	Last  int64 `json:"lastId"`
	Count int64 `json:"count"`
}

// compareCount counts the trades of 24 hours: those that the exchange has by its
// ticker, and those that are stored. It asks first, and counts when all are due.
func (w *watch) compareCount(ctx context.Context, p *progress, now time.Time) error {
	t, asked := w.tickers[p.Series]
	if !asked {
		query := url.Values{"symbol": {p.Series.Symbol}}
		if err := w.a.exchange.get(ctx, p.Series.Market, "/api/v3/ticker/24hr", query, nil, &t); err != nil {
			return err
		}
		w.tickers[p.Series] = t
	}
	from, to := time.UnixMilli(t.From).UTC(), time.UnixMilli(t.To).UTC()
	if p.Until.Before(to.Add(time.Second)) {
		return nil
	}
	delete(w.tickers, p.Series)
	w.update(p.Series, func(p *progress) { p.CountedAt, p.RefusedAt = now, time.Time{} })
	// A count over ids that leave some out proves nothing, as does one over rows that
	// are older than the history.
	if t.Count == 0 || t.Last-t.First+1 != t.Count || from.Before(p.From) {
		return nil
	}
	there, err := w.storedIDs(ctx, p.Series, from, to)
	if err != nil {
		return err
	}
	var findings []Finding
	for _, gap := range lacking(there, t.First, t.Last) {
		findings = append(findings, missingIDs(p.Series, gap, from, to))
	}
	confirmed, others := w.settleIDs(ctx, findings)
	w.add(now, confirmed, true)
	w.add(now, others, false)
	return nil
}
