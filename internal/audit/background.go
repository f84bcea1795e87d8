package audit

import (
	"context"
	"slices"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/journal"
)

const (
	// historyBars and historySpan are what one step back in time reads of a series.
	historyBars = 10_000
	historySpan = 24 * time.Hour
	// compareAfter is how long rows may wait for a request that has a full page of
	// them. Twice a day is 4 of spot's weight for each symbol.
	compareAfter = 12 * time.Hour
)

// historyStep verifies one piece of the past, from new to old. more says that
// there is another.
func (w *watch) historyStep(ctx context.Context, now time.Time) (more bool, err error) {
	list := w.sorted()
	w.a.mu.Lock()
	h := w.history
	w.a.mu.Unlock()
	if len(list) == 0 || slices.ContainsFunc(list, func(p progress) bool { return p.From.IsZero() }) || now.Sub(h.Done) < time.Duration(w.Every) {
		return false, nil
	}
	if h.Cursor.IsZero() || h.Cursor.After(now) {
		h.Cursor = now
		for i := range list {
			list[i].Edge = time.Time{}
		}
	}
	span := historySpan
	for _, p := range list {
		if d, ok := p.Series.Interval.duration(); ok && p.Series.Dataset == Klines {
			span = max(span, min(historyBars*max(d, time.Second), 366*day))
		}
	}
	low := h.Cursor.Add(-span)
	if begin := now.Add(-time.Duration(w.History)); low.Before(begin) {
		low = begin
	}
	findings, reached, err := w.pastFindings(ctx, list, low, h.Cursor)
	if err != nil {
		return false, err
	}
	asked, rest := w.settleIDs(ctx, findings)
	w.add(now, rest, false)
	w.add(now, asked, true)
	for s, r := range reached {
		w.update(s, func(p *progress) { p.From, p.Edge = r.from, r.edge })
	}
	h.Cursor = low
	if more = low.After(now.Add(-time.Duration(w.History))); !more {
		h = pass{Done: now}
		w.logger.Info("History verified", "from", low, "series", len(list))
	}
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	w.history = h
	if c, err := journal.Set(w.Name+"|pass", h); err == nil { // It encodes always.
		w.book.changes = append(w.book.changes, c)
	}
	return more, nil
}

// reached is how far back the rows of a series are verified.
type reached struct{ from, edge time.Time }

// pastFindings verifies [low, high) of all series, and returns where they begin
// now. A series that has no rows yet at low begins with its first one.
func (w *watch) pastFindings(ctx context.Context, list []progress, low, high time.Time) ([]Finding, map[Series]reached, error) {
	var results []Result
	var findings []Finding
	now := map[Series]reached{}
	for _, p := range list {
		to := p.Until
		if high.Before(to) {
			to = high
		}
		// The last piece may have been empty: this one reaches to what is known.
		fresh := low.Before(p.From)
		if fresh && to.Before(p.From) {
			to = p.From
		}
		if !low.Before(to) {
			continue
		}
		if p.Series.Dataset != Klines {
			check := NewEntryCheck(p.Series)
			if check.rules.contiguous && to.Before(p.Edge) {
				to = p.Edge
			}
			if err := w.rows.Entries(ctx, p.Series, low, to, check.Add); err != nil {
				return nil, nil, err
			}
			findings = append(findings, check.Result(low, to).Findings...)
			r := reached{from: p.From, edge: p.Edge}
			if fresh {
				r.from = low
			}
			if check.rows > 0 { // The row itself is in the next piece too.
				r.edge = micro(check.first + 1)
			}
			now[p.Series] = r
			continue
		}
		check, err := NewKlineCheck(p.Series)
		if err != nil {
			return nil, nil, err
		}
		from := low
		if !fresh && from.Before(p.From) {
			from = p.From
		}
		if err := check.Read(ctx, w.rows, from, to); err != nil {
			return nil, nil, err
		}
		if check.rows == 0 && fresh {
			continue
		}
		var start time.Time // Of what is fresh, the first row.
		if !fresh {
			start = from
		}
		r := check.Result(start, micro(check.ceil(to)))
		results = append(results, r)
		if fresh && r.From.Before(p.From) {
			now[p.Series] = reached{from: r.From}
		}
	}
	return append(findings, Attribute(results)...), now, nil
}

// compareStep asks the exchange for the next page of one series.
func (w *watch) compareStep(ctx context.Context, now time.Time) (more bool, err error) {
	if !w.Compare {
		return false, nil
	}
	late, err := behind(ctx, w.rows)
	if err != nil {
		return false, err
	}
	w.a.mu.Lock()
	verified := !w.history.Done.IsZero()
	w.a.mu.Unlock()
	for _, p := range w.sorted() {
		if p.From.IsZero() || p.Series.Dataset == Klines && !verified {
			continue
		}
		if p.Series.public() {
			switch done, err := w.comparePublic(ctx, &p, now); {
			case err != nil && refusalOf(err) != nil:
				w.refused(now, p.Series, p.Newest, p.Until, refusalOf(err))
			case err != nil:
				return false, err
			case done:
				w.accepted(now, p.Series)
			}
			continue
		}
		from, to, ok := w.comparePiece(&p, now.Add(-late))
		if !ok {
			continue
		}
		var findings []Finding
		if p.Series.Dataset == Klines {
			findings, err = w.differences(ctx, p.Series, from, to)
		} else {
			findings, err = w.compareAccount(ctx, p.Series, from, to)
		}
		if refusal := refusalOf(err); refusal != nil {
			w.refused(now, p.Series, from, to, refusal)
			continue // The others can be compared all the same.
		}
		if err != nil {
			return false, err
		}
		w.accepted(now, p.Series)
		w.add(now, findings, true)
		w.update(p.Series, func(p *progress) { p.compared(from, to, now) })
		return true, nil
	}
	return false, nil
}

// comparePiece is what to ask for next of a series; ok is false if there is
// nothing yet.
func (w *watch) comparePiece(p *progress, now time.Time) (from, to time.Time, ok bool) {
	s := p.Series
	if now.Sub(p.RefusedAt) < accountAfter {
		return from, to, false
	}
	if s.Dataset != Klines {
		return w.accountPiece(p, now)
	}
	from = p.Compared
	if from.Before(p.From) || !from.Before(p.Until) && now.Sub(p.ComparedAt) >= time.Duration(w.Every) {
		from = p.From
	}
	requests := w.a.exchange.klineRequests(s, from, p.Until)
	switch {
	case len(requests) == 0:
		return from, to, false
	case len(requests) == 1:
		return from, p.Until, now.Sub(p.ComparedAt) >= compareAfter
	}
	return from, endOf(requests[0]), true
}

// differences compares the bars of a series with the exchange's. What is missing
// in both was found before.
func (w *watch) differences(ctx context.Context, s Series, from, to time.Time) ([]Finding, error) {
	theirs, seen := w.witness.bars(s, from, to)
	if !seen {
		var err error
		if theirs, err = w.a.exchange.klines(ctx, s, from, to); err != nil {
			return nil, err
		}
	}
	var ours []Kline
	err := w.rows.Klines(ctx, s, from, to, func(k *Kline, _ bool) {
		if n := len(ours); n == 0 || ours[n-1].OpenTime < k.OpenTime { // Doubles are reported elsewhere.
			ours = append(ours, *k)
		}
	})
	if err != nil {
		return nil, err
	}
	findings := CompareKlines(s, ours, theirs, from, to)
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Kind == Missing }), nil
}
