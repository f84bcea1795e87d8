package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// maxAsked bounds the verifications of a dataset that wait, and those that are
	// remembered.
	maxAsked = 20
	// maxPeers bounds the other symbols that are read to tell whose fault a gap is.
	maxPeers = 20
)

// What the author of a request can do something about.
var (
	ErrUnknownSeries = errors.New("no such series is audited")
	ErrNothingThere  = errors.New("nothing there can be verified")
	ErrBusy          = errors.New("enough verifications wait; try again when some are done")
)

// Span is a stretch of a series.
type Span struct {
	Series Series    `json:"series"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
}

// Verification is a stretch that somebody wants verified now.
type Verification struct {
	Span
	AskedAt time.Time `json:"askedAt"`
	DoneAt  time.Time `json:"doneAt,omitzero"` // Zero while it waits or works.
	// Error says why nothing was verified.
	Error string `json:"error,omitempty"`
}

// Verify has a stretch of a series verified before all else that is not new. What
// is beyond 10,000 bars, or beyond what one request may ask for of an account, is
// cut off at the beginning: the answer says what is verified.
func (a *Auditor) Verify(s Span) (Verification, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.watches {
		p := w.series[s.Series]
		if p == nil {
			continue
		}
		from, to := p.within(s.From, s.To)
		if !from.Before(to) {
			return Verification{}, fmt.Errorf("%s, %s to %s: %w: the series is known from %s to %s", s.Series,
				s.From.Format(timeFormat), s.To.Format(timeFormat), ErrNothingThere, p.From.Format(timeFormat), p.Until.Format(timeFormat))
		}
		return w.ask(Verification{Span: Span{s.Series, from, to}, AskedAt: time.Now()})
	}
	return Verification{}, fmt.Errorf("%s of %s: %w", s.Series, s.Series.Source, ErrUnknownSeries)
}

// within cuts a stretch to what is known of a series, and to one piece of work.
func (p *progress) within(from, to time.Time) (time.Time, time.Time) {
	longest := window(p.Series.Market)
	if d, ok := p.Series.Interval.duration(); ok && p.Series.Dataset == Klines {
		check := KlineCheck{calendar: newCalendar(p.Series.Interval)}
		from, to = micro(check.slot(from.UnixMicro())), micro(check.ceil(to))
		longest = historyBars * d
	}
	if to.After(p.Until) {
		to = p.Until
	}
	for _, least := range []time.Time{p.From, to.Add(-longest)} {
		if from.Before(least) {
			from = least
		}
	}
	return from.UTC(), to.UTC()
}

// ask queues a verification, unless the same one waits already.
func (w *watch) ask(v Verification) (Verification, error) {
	waiting := 0
	for _, other := range w.asked {
		if !other.DoneAt.IsZero() {
			continue
		}
		if waiting++; other.Span == v.Span {
			return other, nil
		}
	}
	if waiting == maxAsked {
		return v, ErrBusy
	}
	if len(w.asked) == maxAsked { // The oldest that is done makes room.
		at := slices.IndexFunc(w.asked, func(v Verification) bool { return !v.DoneAt.IsZero() })
		w.asked = slices.Delete(w.asked, at, at+1)
	}
	w.asked = append(w.asked, v)
	return v, nil
}

// askedStep does the verification that waits longest.
func (w *watch) askedStep(ctx context.Context, now time.Time) (more bool, err error) {
	w.a.mu.Lock()
	at := slices.IndexFunc(w.asked, func(v Verification) bool { return v.DoneAt.IsZero() })
	var v Verification
	if at >= 0 {
		v = w.asked[at]
	}
	w.a.mu.Unlock()
	if at < 0 {
		return false, nil
	}
	if v.Series.Dataset == Klines {
		err = w.verifyBars(ctx, now, v.Span)
	} else {
		err = w.verifyEntries(ctx, now, v.Span)
	}
	if ctx.Err() != nil {
		return false, err
	}
	w.a.mu.Lock()
	for _, r := range w.book.records {
		if soon := now.Add(-time.Hour); r.rechecked() && r.concerns(v.Series) && r.From.Before(v.To) && !r.To.Before(v.From) && soon.Before(r.CheckedAt) {
			r.CheckedAt = soon // What was mended closes with the next look, which is now.
		}
	}
	v.DoneAt = time.Now()
	if err != nil {
		v.Error = err.Error()
	}
	for i := range w.asked {
		if w.asked[i].Span == v.Span && w.asked[i].DoneAt.IsZero() {
			w.asked[i] = v
		}
	}
	w.a.mu.Unlock()
	w.a.deps.Changed()
	w.hurry()
	return true, nil // Its error is the asker's; the source's own is found by the others.
}

// verifyBars reads a stretch again and asks the exchange for all of it.
func (w *watch) verifyBars(ctx context.Context, now time.Time, s Span) error {
	result, err := w.readBars(ctx, &progress{Series: s.Series}, s.From, s.To, nil)
	if err != nil {
		return err
	}
	results := []Result{result}
	if n := len(result.gaps); n > 0 {
		peers, err := w.readPeers(ctx, s.Series, micro(result.gaps[0].from), micro(result.gaps[n-1].to))
		if err != nil {
			return err
		}
		results = append(results, peers...)
	}
	var ours []Finding
	for _, f := range Attribute(results) {
		for _, one := range f.perSymbol() {
			if one.Series == s.Series && one.Kind != Late { // It was told when the row came.
				ours = append(ours, one)
			}
		}
	}
	w.add(now, w.unknownYet(w.settle(ctx, ours)), false)
	if !w.Compare {
		return nil
	}
	findings, err := w.differences(ctx, s.Series, s.From, s.To)
	if refusal := refusalOf(err); refusal != nil {
		w.refused(now, s.Series, s.From, s.To, refusal)
	}
	if err != nil {
		return err
	}
	w.accepted(now, s.Series)
	w.add(now, w.unknownYet(findings), true)
	return nil
}

// readPeers reads the time of a gap in symbols that have rows before and after it.
func (w *watch) readPeers(ctx context.Context, s Series, from, to time.Time) ([]Result, error) {
	var results []Result
	for _, p := range w.sorted() {
		peer := p.Series
		peer.Symbol = s.Symbol
		if peer != s || p.Series == s || from.Before(p.From) || p.Until.Before(to) {
			continue
		}
		r, err := w.readBars(ctx, &p, from, to, nil)
		if err != nil {
			return nil, err
		}
		if results = append(results, r); len(results) == maxPeers {
			break
		}
	}
	return results, nil
}

// unknownYet takes out of findings of bars what open ones of their kind say: they
// may begin elsewhere, or be shared with other symbols.
func (w *watch) unknownYet(findings []Finding) []Finding {
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	var news []Finding
	for _, f := range findings {
		rest := []Finding{f}
		for _, r := range w.book.records {
			if r.open() && r.Kind == f.Kind && r.concerns(f.Series) {
				rest = without(rest, r.From, r.To)
			}
		}
		news = append(news, rest...)
	}
	return news
}

// without cuts a stretch out of findings of bars.
func without(findings []Finding, from, to time.Time) []Finding {
	var rest []Finding
	for _, f := range findings {
		if !f.From.Before(to) || !from.Before(f.To) {
			rest = append(rest, f)
			continue
		}
		before, after := f, f
		before.To, after.From = from, to
		for _, part := range []Finding{before, after} {
			if part.From.Before(part.To) {
				part.Count = newCalendar(f.Series.Interval).count(part.From.UnixMicro(), part.To.UnixMicro())
				rest = append(rest, part)
			}
		}
	}
	return rest
}

// verifyEntries reads rows with ids again and, of an account, asks the exchange for
// all that it shows by now.
func (w *watch) verifyEntries(ctx context.Context, now time.Time, s Span) error {
	check := NewEntryCheck(s.Series)
	if err := w.rows.Entries(ctx, s.Series, s.From, s.To, check.Add); err != nil {
		return err
	}
	w.add(now, check.Result(s.From, s.To).Findings, false)
	if !w.Compare || s.Series.Account == "" {
		return nil
	}
	to := s.To
	if settled := now.Add(-accountGrace).Truncate(time.Millisecond); settled.Before(to) {
		to = settled
	}
	if !s.From.Before(to) {
		return nil
	}
	findings, err := w.compareAccount(ctx, s.Series, s.From, to)
	if refusal := refusalOf(err); refusal != nil {
		w.refused(now, s.Series, s.From, to, refusal)
	}
	if err != nil {
		return err
	}
	w.accepted(now, s.Series)
	w.add(now, findings, true)
	return nil
}
