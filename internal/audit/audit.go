// Package audit proves that a platform's copy of exchange data is complete,
// correct and current: it reads the platform's rows, holds them against their
// own invariants, against each other and against the exchange, and says of each
// difference whose fault it is.
//
// It never writes to the platform's store, and what could not be checked is
// reported as unknown, never as fine. Start with [KlineCheck] for one series and
// [Attribute] for the verdict over many; the packages below read rows from where
// a platform keeps them.
package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Series names one sequence of rows.
type Series struct {
	Source   string   `json:"source,omitempty"`
	Dataset  string   `json:"dataset"` // klines, trades, aggTrades, userTrades, incomes
	Market   string   `json:"market,omitempty"`
	Account  string   `json:"account,omitempty"`
	Symbol   string   `json:"symbol,omitempty"`
	Interval Interval `json:"interval,omitempty"`
}

// String is the series as findings name it: `klines BTCUSDT 1m`.
func (s Series) String() string {
	parts := []string{s.Dataset, s.Account, s.Symbol, string(s.Interval)}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

// Kind is what is wrong.
type Kind string

// The kinds of findings.
const (
	Missing   Kind = "missing"   // Rows that there should be are not there.
	Duplicate Kind = "duplicate" // A row is there more than once.
	Mismatch  Kind = "mismatch"  // A row's values cannot be right, or are not the exchange's.
	Extra     Kind = "extra"     // A row is there that the exchange does not have.
	Order     Kind = "order"     // A row comes after ones that follow it.
	WrongUnit Kind = "unit"      // A time is in another unit than those around it.
	Late      Kind = "late"      // A row is there, and was not in time.
	Unchecked Kind = "unchecked" // A check could not run.
	WrongSum  Kind = "sum"       // The amounts of a day make another sum than the exchange's.
)

// Cause is whose fault it is.
type Cause string

// The causes.
const (
	Platform Cause = "platform" // The exchange has it, or nothing says that it has not.
	Exchange Cause = "exchange" // The exchange has none: a halt, not yet listed, delisted.
	Archive  Cause = "archive"  // The file that was read breaks off.
	Unknown  Cause = "unknown"  // Nobody could be asked.
)

// Finding is one difference between what is stored and what should be.
type Finding struct {
	Series Series `json:"series"`
	// Symbols has the symbols of a finding that many share; Series.Symbol is
	// empty then.
	Symbols []string `json:"symbols,omitempty"`
	Kind    Kind     `json:"kind"`
	Cause   Cause    `json:"cause"`
	// From is the time of the first row concerned, To the end of the last one's
	// interval; for rows without an interval, the time of the last one.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Count is the number of rows concerned, of each symbol.
	Count int64 `json:"count"`
	// FirstID and LastID are the ids that are missing, of public trades; else 0.
	FirstID int64 `json:"firstId,omitempty"`
	LastID  int64 `json:"lastId,omitempty"`
	// Fields that are wrong, for a mismatch.
	Fields []string `json:"fields,omitempty"`
	// Evidence says how it is known, with the values of the first row.
	Evidence string `json:"evidence"`
}

// String is the finding as a line of a report.
func (f Finding) String() string {
	series := f.Series.String()
	if len(f.Symbols) > 0 {
		series = fmt.Sprintf("%s (%d symbols: %s)", series, len(f.Symbols), strings.Join(f.Symbols, ", "))
	}
	return fmt.Sprintf("%s: %d %s, by the %s, %s to %s: %s", series, f.Count, f.Kind, f.Cause,
		f.From.Format(timeFormat), f.To.Format(timeFormat), f.Evidence)
}

// timeFormat shows milliseconds only where there are some.
const timeFormat = "2006-01-02T15:04:05.999Z07:00"

// sortFindings puts findings in the order of time, then of their series.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Series.String(), b.Series.String()), cmp.Compare(a.Kind, b.Kind))
	})
}
