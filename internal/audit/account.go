package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

const (
	// accountAfter is how often an account's rows are asked for, and accountGrace
	// how long the exchange may take to show them.
	accountAfter = 5 * time.Minute
	accountGrace = 2 * time.Minute
)

func (a *Auditor) account(id string) *Account {
	for i := range a.config.Accounts {
		if a.config.Accounts[i].ID == id {
			return &a.config.Accounts[i]
		}
	}
	return nil
}

// accountPiece is what to ask for next of an account: first the whole days whose
// sums were not compared, then what is new today. A day is asked for once more when
// it is over, so that rows which got lost after they were compared are missed.
func (w *watch) accountPiece(p *progress, now time.Time) (from, to time.Time, ok bool) {
	s := p.Series
	if w.a.account(s.Account) == nil {
		return from, to, false
	}
	settled := now.Add(-accountGrace).Truncate(time.Millisecond)
	today := settled.Truncate(day)
	begin, summed := p.Compared, p.Summed
	if begin.IsZero() {
		keep := time.Duration(w.History)
		if r := retention(s); r > 0 {
			keep = min(keep, r-time.Hour)
		}
		begin = now.Add(-keep)
		if next := nextDay(begin); !next.After(today) {
			begin = next
		}
	}
	if summed.IsZero() {
		summed = nextDay(begin)
	}
	if summed.Before(today) {
		last := summed.Add(window(s.Market))
		if last.After(today) {
			last = today
		}
		return summed, last, true
	}
	if last := begin.Add(window(s.Market)); last.Before(settled) {
		return begin, last, true
	}
	return begin, settled, settled.Sub(begin) >= accountAfter
}

// nextDay is t if a day begins there, else the next one.
func nextDay(t time.Time) time.Time {
	if d := t.Truncate(day); d.Before(t) {
		return d.Add(day)
	}
	return t
}

// compared notes a piece that was compared.
func (p *progress) compared(from, to, now time.Time) {
	p.ComparedAt, p.RefusedAt = now, time.Time{}
	if p.Series.Account == "" || to.After(p.Compared) {
		p.Compared = to
	}
	if last := to.Truncate(day); p.Series.Account != "" && last.After(p.Summed) && from.Equal(from.Truncate(day)) {
		p.Summed = last
	}
}

// compareAccount compares rows of one account, and the sums of the whole days.
func (w *watch) compareAccount(ctx context.Context, s Series, from, to time.Time) ([]Finding, error) {
	account := w.a.account(s.Account)
	if account == nil {
		return nil, fmt.Errorf("%s: there is no key for account %s; add it under audit.accounts", s, s.Account)
	}
	theirs, err := w.a.exchange.entries(ctx, s, account, from, to)
	if err != nil {
		return nil, err
	}
	var ours []Entry
	err = w.rows.Entries(ctx, s, from, to, func(e *Entry) {
		if e.Broken == "" { // It is reported elsewhere.
			ours = append(ours, *e)
		}
	})
	if err != nil {
		return nil, err
	}
	return append(CompareSums(s, ours, theirs, from, to), CompareEntries(s, ours, theirs)...), nil
}

// total is what is summed for a day: realized_pnl, commission, or the incomes of a
// type, in one asset; no asset stands for all.
type total struct {
	day  int64
	what string
	// asset is empty if a source does not say.
	asset string
}

// CompareSums holds the sums of each whole day of UTC in [from, to) against the
// exchange's: realised PnL and commission of fills, each type of incomes. Rows that
// are there twice count twice, as they do in whatever adds them up. An amount that
// is not known of every row is not summed.
func CompareSums(s Series, ours, theirs []Entry, from, to time.Time) []Finding {
	low, high := nextDay(from).UnixMicro(), to.Truncate(day).UnixMicro()
	byAsset := true
	known := uint8(0xff)
	for _, e := range slices.Concat(ours, theirs) {
		byAsset = byAsset && e.Asset != ""
		known &= e.Known
	}
	sum := func(rows []Entry) map[total]Decimal {
		sums := map[total]Decimal{}
		for _, e := range rows {
			if e.Time < low || e.Time >= high {
				continue
			}
			for i, name := range AmountsOf(s.Dataset) {
				t := total{day: e.Time - e.Time%day.Microseconds(), what: name}
				switch {
				case known&(1<<i) == 0 || name != "income" && name != "realized_pnl" && name != "commission":
					continue
				case name == "income":
					t.what = e.Type
				}
				// The asset of a fill is that of its commission.
				if byAsset && name != "realized_pnl" {
					t.asset = e.Asset
				}
				sums[t] = sums[t].Add(e.Amounts[i])
			}
		}
		return sums
	}
	mine, right := sum(ours), sum(theirs)
	all := maps.Clone(mine)
	maps.Copy(all, right)
	var findings []Finding
	for t := range all {
		a, b := mine[t], right[t]
		if a == b {
			continue
		}
		name := t.what
		if t.asset != "" {
			name += " in " + t.asset
		}
		at := micro(t.day)
		findings = append(findings, Finding{
			Series: s, Kind: WrongSum, Cause: Platform, From: at, To: at.Add(day), Count: 1, Fields: []string{name},
			Evidence: fmt.Sprintf("the day's sum of %s is %s, at the exchange %s; it is off by %s", name, a, b, a.Sub(b)),
		})
	}
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Fields[0], b.Fields[0]))
	})
	return findings
}

// refusalOf returns what the exchange refuses for one series or account alone, nil
// for other errors. Codes of API docs, errors.md, 2026-07.
func refusalOf(err error) *binance.Error {
	var refusal *binance.Error
	if !errors.As(err, &refusal) {
		return nil
	}
	switch refusal.Code {
	case unknownSymbol,
		-1002, -1022, -2008, -2014, -2015, // The key: unknown, without permission, not from this address, or not its secret.
		-4166: // Too long ago.
		return refusal
	}
	return nil
}

// refused makes a finding of what the exchange does not show. It is no longer open
// when a comparison succeeds.
func (w *watch) refused(now time.Time, s Series, from, to time.Time, refusal *binance.Error) {
	evidence := "the exchange has no such symbol now"
	switch {
	case refusal.Code == unknownSymbol:
	case s.Account != "":
		evidence = fmt.Sprintf("the exchange does not take the key of account %s: %v; it needs a key that may read, from this address", s.Account, refusal)
	default:
		evidence = fmt.Sprintf("the exchange does not show it: %v", refusal)
	}
	w.add(now, []Finding{{Series: s, Kind: Unchecked, Cause: Unknown, From: from, To: to, Evidence: evidence}}, true)
	w.update(s, func(p *progress) { p.RefusedAt = now })
}

// accepted closes what refused has opened.
func (w *watch) accepted(now time.Time, s Series) {
	w.a.mu.Lock()
	defer w.a.mu.Unlock()
	for _, r := range w.book.records {
		if r.open() && r.Kind == Unchecked && r.Confirmed && r.Series == s {
			w.book.close(now, r)
		}
	}
}

// unchecked says why the rows of a series are not compared with the exchange's
// though they should be; empty if they are.
func (w *watch) unchecked(s Series) string {
	if w.Compare && s.Account != "" && w.a.account(s.Account) == nil {
		return fmt.Sprintf("there is no key for account %s; add it under audit.accounts, or set compare: false", s.Account)
	}
	return ""
}
