package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

const (
	// firstLook is how many bars of a series that is new are verified at once; the
	// others are history.
	firstLook = 60
	// maxConfirm bounds the requests that one look at new rows may wait for.
	maxConfirm     = 20
	confirmTimeout = 5 * time.Second
	// maxRecheck bounds the findings that are looked at again at once.
	maxRecheck = 50
	// entryOverlap is how far back new rows with ids are read again: rows of one
	// account are stored in no strict order.
	entryOverlap = 10 * time.Minute
)

// due is the end of the last bar that must be stored by now.
func (w *watch) due(i Interval, now time.Time) time.Time {
	c := newCalendar(i)
	check := KlineCheck{calendar: c}
	return micro(check.slot(now.Add(-time.Duration(w.Grace)).UnixMicro()))
}

// nextDue is when the next look is worth it.
func (w *watch) nextDue(now time.Time) time.Time {
	next := now.Add(min(idlePause, max(w.listAgain, newAgain)))
	for _, p := range w.sorted() {
		at := now.Add(entryInterval)
		if p.Series.Dataset == Klines {
			at = micro(newCalendar(p.Series.Interval).next(w.due(p.Series.Interval, now).UnixMicro())).Add(time.Duration(w.Grace))
		}
		if at.Before(next) {
			next = at
		}
	}
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	for _, r := range w.book.records { // What is open may be mended before that.
		if at := r.CheckedAt.Add(r.recheckAfter(now)); r.rechecked() && at.Before(next) {
			next = at
		}
	}
	if soonest := now.Add(time.Second); next.Before(soonest) {
		return soonest
	}
	return next
}

// maxBehind is how far a replica may be behind before people hear of it; what is
// due is looked for as much later in any case.
const maxBehind = time.Minute

// live verifies the rows that have become due.
func (w *watch) live(ctx context.Context, now time.Time) error {
	late, err := behind(ctx, w.rows)
	if err != nil {
		return err
	}
	asOf := now.Add(-late)
	var results []Result
	var findings, testified []Finding
	for _, p := range w.sorted() {
		var r Result
		var err error
		if p.Series.Dataset == Klines {
			until := w.due(p.Series.Interval, asOf)
			if p.Until.IsZero() {
				p.Until = w.firstOf(p.Series.Interval, until)
			}
			if !p.Until.Before(until) {
				continue
			}
			against := comparison{series: p.Series, calendar: newCalendar(p.Series.Interval)}
			r, err = w.readBars(ctx, &p, p.Until, until, func(k *Kline, wrongUnit bool) { w.confront(&against, k, wrongUnit) })
			results = append(results, r)
			testified = append(testified, against.findings...)
		} else {
			r, err = w.readEntries(ctx, &p, asOf)
			findings = append(findings, r.Findings...)
			if err == nil && p.Series.public() {
				testified = append(testified, w.unseen(p.Series)...)
			}
		}
		if err != nil {
			// What was read so far stays unverified too, and is read again: a
			// verdict needs all series.
			return err
		}
	}
	settling, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	asked, rest := w.settleIDs(settling, findings)
	w.add(now, append(rest, w.settle(settling, Attribute(results))...), false)
	w.add(now, append(testified, asked...), true)
	for _, r := range results {
		w.update(r.Series, func(p *progress) {
			if p.From.IsZero() {
				p.From = r.From
			}
			p.Until, p.LastSuccess = r.To, now
			if !r.newest.IsZero() {
				p.Newest = r.newest
			}
		})
	}
	if late > maxBehind {
		return errBehind(late)
	}
	return nil
}

func (w *watch) firstOf(i Interval, until time.Time) time.Time {
	c := newCalendar(i)
	if c.step == 0 {
		return until.AddDate(0, -1, 0)
	}
	return micro(until.UnixMicro() - firstLook*c.step)
}

// confront holds a row against the bar that the witness saw, if it did.
func (w *watch) confront(c *comparison, k *Kline, wrongUnit bool) {
	if k.Broken != "" || wrongUnit {
		return // That is a finding already.
	}
	theirs, seen := w.witness.bar(c.series, k.OpenTime)
	if !seen {
		return
	}
	if fields, evidence := k.differences(&theirs); len(fields) > 0 {
		c.report(Mismatch, Platform, k.OpenTime, fields, evidence+", as it was sent when the bar closed")
	}
}

// readBars checks a range of rows. each, if not nil, sees them too.
func (w *watch) readBars(ctx context.Context, p *progress, from, to time.Time, each func(*Kline, bool)) (Result, error) {
	check, err := NewKlineCheck(p.Series)
	if err != nil {
		return Result{}, err
	}
	check.LateAfter = time.Duration(w.LateAfter)
	err = w.rows.Klines(ctx, p.Series, from, to, func(k *Kline, wrongUnit bool) {
		check.Add(k, wrongUnit)
		if each != nil {
			each(k, wrongUnit)
		}
	})
	if err != nil {
		return Result{}, err
	}
	r := check.Result(from, to)
	if check.rows > 0 {
		r.newest = micro(check.calendar.next(check.last))
	}
	return r, nil
}

func (w *watch) readEntries(ctx context.Context, p *progress, now time.Time) (Result, error) {
	until := now.Add(-time.Duration(w.Grace)).Truncate(time.Millisecond)
	from := p.Until.Add(-entryOverlap)
	if p.Until.IsZero() {
		from = until.Add(-time.Hour)
	}
	if until.Before(p.Until) {
		return Result{}, nil // A replica has fallen behind what it had.
	}
	check := NewEntryCheck(p.Series)
	if check.rules.contiguous && p.Newest.Before(from) && !p.Newest.IsZero() {
		from = p.Newest // However long ago it was, the next row has the next id.
	}
	check.LateAfter = time.Duration(w.LateAfter)
	if err := w.rows.Entries(ctx, p.Series, from, until, check.Add); err != nil {
		return Result{}, err
	}
	r := check.Result(from, until)
	w.update(p.Series, func(p *progress) {
		if p.From.IsZero() {
			p.From = from
		}
		p.Until, p.LastSuccess, p.Slowest = until, now, check.Slowest()
		if check.rows > 0 {
			p.Newest, p.NewestID = micro(check.last), check.greatest
		}
	})
	return r, nil
}

// settle makes sure of verdicts about rows that have just become due. That no
// symbol has them proves a halt in the past; now it may also be that the platform
// has stopped.
func (w *watch) settle(ctx context.Context, findings []Finding) []Finding {
	var settled []Finding
	asked := 0
	for _, f := range findings {
		if f.Kind != Missing {
			settled = append(settled, f)
			continue
		}
		for _, one := range f.perSymbol() {
			verdict, err := []Finding{one}, errNotAsked
			if bars, ok := w.witness.bars(one.Series, one.From, one.To); ok {
				verdict, err = testify(one, bars), nil
			} else if w.Compare && asked < maxConfirm {
				asked++
				verdict, err = w.confirm(ctx, one)
			}
			if err != nil && one.Cause == Exchange {
				one.Cause, one.Evidence = Unknown, one.Evidence+"; whether the exchange has them: "+err.Error()
				verdict = []Finding{one}
			}
			settled = append(settled, verdict...)
		}
	}
	return settled
}

// unknownSymbol is how the exchange answers for one that is delisted; API docs,
// error codes, 2026-07.
const unknownSymbol = -1121

var errNotAsked = errors.New("it was not asked")

// testify is the verdict by bars that the witness has seen, all of them.
func testify(f Finding, bars []Kline) []Finding {
	list := CompareKlines(f.Series, nil, bars, f.From, f.To)
	for i := range list {
		list[i].Evidence = "the exchange sent these bars when they closed"
	}
	return list
}

// confirm asks the exchange whether it has what is missing.
func (w *watch) confirm(ctx context.Context, f Finding) ([]Finding, error) {
	theirs, err := w.a.exchange.klines(ctx, f.Series, f.From, f.To)
	var refusal *binance.Error
	if errors.As(err, &refusal) && refusal.Code == unknownSymbol {
		f.Cause, f.Evidence = Exchange, "the exchange has no such symbol now"
		return []Finding{f}, nil
	}
	if err != nil {
		return []Finding{f}, err
	}
	return CompareKlines(f.Series, nil, theirs, f.From, f.To), nil
}

// perSymbol splits a finding that many symbols share.
func (f Finding) perSymbol() []Finding {
	if len(f.Symbols) == 0 {
		return []Finding{f}
	}
	var list []Finding
	for _, symbol := range f.Symbols {
		one := f
		one.Series.Symbol, one.Symbols = symbol, nil
		list = append(list, one)
	}
	return list
}

// recheck looks whether open findings are still true.
func (w *watch) recheck(ctx context.Context, now time.Time) {
	w.a.mu.Lock()
	var list []Record
	for _, r := range w.book.due(now, maxRecheck) {
		list = append(list, *r)
	}
	w.a.mu.Unlock()
	for _, r := range list {
		left, asked, err := w.still(ctx, &r)
		w.a.mu.Lock()
		current := w.book.records[r.ID]
		switch {
		case current == nil || !current.To.Equal(r.To):
		case err != nil:
			current.CheckedAt = now // It stays open: nobody knows better.
		case len(left) == 1 && left[0].From.Equal(r.From) && left[0].To.Equal(r.To) && left[0].Cause == r.Cause &&
			left[0].FirstID == r.FirstID && left[0].LastID == r.LastID:
			current.CheckedAt, current.Evidence, current.Confirmed = now, left[0].Evidence, asked
		default:
			w.book.close(now, current)
			for _, n := range w.book.add(now, left) {
				n.OpenedAt, n.Confirmed = r.OpenedAt, asked // It is the rest of what was known.
				n.Plan = w.a.exchange.plan(&n.Finding, now)
				w.book.save(n)
			}
		}
		w.a.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
	}
}

// still returns what is left of a finding, and whether the exchange was asked about
// it, now or before.
func (w *watch) still(ctx context.Context, r *Record) (left []Finding, asked bool, err error) {
	switch {
	case r.Kind == Late: // The row is there.
	case r.LastID != 0:
		return w.stillLacking(ctx, r)
	case r.Kind == WrongSum:
		left, err = w.compareAccount(ctx, r.Series, r.From, r.To)
		left = same(left, r)
	case r.Series.Dataset != Klines:
		left, err = w.stillEntries(ctx, r)
	default:
		left, err = w.stillBars(ctx, r)
	}
	return left, r.Confirmed, err
}

func (w *watch) stillBars(ctx context.Context, r *Record) ([]Finding, error) {
	p := progress{Series: r.Series}
	if r.Confirmed && r.Kind != Missing {
		return w.differences(ctx, r.Series, r.From, r.To)
	}
	result, err := w.readBars(ctx, &p, r.From, r.To, nil)
	if err != nil {
		return nil, err
	}
	left := ofKind(Attribute([]Result{result}), r.Kind)
	if r.Kind != Missing {
		return left, nil
	}
	if r.Cause == Unknown && w.Compare {
		var verdict []Finding
		for _, f := range left {
			if bars, ok := w.witness.bars(f.Series, f.From, f.To); ok {
				verdict = append(verdict, testify(f, bars)...)
				continue
			}
			v, err := w.confirm(ctx, f)
			if err != nil {
				return nil, err
			}
			verdict = append(verdict, v...)
		}
		return verdict, nil
	}
	for i := range left {
		left[i].Cause, left[i].Evidence = r.Cause, r.Evidence
	}
	return left, nil
}

func (w *watch) stillEntries(ctx context.Context, r *Record) ([]Finding, error) {
	from, to := r.From.Add(-time.Second), r.To.Add(time.Second)
	if r.Confirmed {
		findings, err := w.compareAccount(ctx, r.Series, from, to)
		return same(findings, r), err
	}
	check := NewEntryCheck(r.Series)
	if err := w.rows.Entries(ctx, r.Series, from, to, check.Add); err != nil {
		return nil, err
	}
	return same(check.Result(from, to).Findings, r), nil
}

// same picks the finding that r is.
func same(findings []Finding, r *Record) []Finding {
	return slices.DeleteFunc(findings, func(f Finding) bool { return idOf(&f) != r.ID })
}

func ofKind(findings []Finding, k Kind) []Finding {
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Kind != k })
}
