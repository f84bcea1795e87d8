package audit

import (
	"cmp"
	"fmt"
)

// The datasets.
const (
	Klines     = "klines"
	Trades     = "trades"
	AggTrades  = "aggTrades"
	UserTrades = "userTrades" // fills
	Incomes    = "incomes"
)

// Entry is a row that has an id of its own: a trade, a fill, an income. Times
// are in microseconds since the epoch.
type Entry struct {
	// ID is the exchange's: of the trade, the aggregate trade or the transaction.
	ID int64
	// Type tells ids of one account apart that are equal; the type of an income.
	Type string
	// Asset is what an income or a fill's commission is paid in, empty where the
	// source does not say.
	Asset string
	Time  int64
	// FirstID and LastID are the trades in an aggregate trade, if HasRange.
	FirstID, LastID int64
	HasRange        bool
	// Amounts has the numbers by their place in [AmountsOf]; Known has a bit for
	// each that the source has.
	Amounts [maxAmounts]Decimal
	Known   uint8
	// CreatedAt is when the row was stored, 0 where the source does not say.
	CreatedAt int64
	// Broken says which value could not be read, and why.
	Broken string
}

const maxAmounts = 5

// AmountsOf names the numbers of a dataset's entries, in the order of
// Entry.Amounts.
func AmountsOf(dataset string) []string {
	switch dataset {
	case Trades:
		return []string{"price", "quantity", "quote_quantity"}
	case AggTrades:
		return []string{"price", "quantity"}
	case UserTrades:
		return []string{"price", "quantity", "quote_quantity", "commission", "realized_pnl"}
	case Incomes:
		return []string{"income"}
	}
	return nil
}

// key is what an entry is known by; no two rows have the same.
type key struct {
	id     int64
	income string
}

func (e *Entry) key() key { return key{e.ID, e.Type} }

func (k key) String() string {
	if k.income == "" {
		return fmt.Sprintf("id %d", k.id)
	}
	return fmt.Sprintf("%s %d", k.income, k.id)
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.id, other.id), cmp.Compare(k.income, other.income))
}

// differences names the fields in which e differs from what the exchange has.
func (e *Entry) differences(dataset string, reference *Entry) (fields []string, evidence string) {
	note := func(name, ours, theirs string) {
		fields = append(fields, name)
		if evidence == "" {
			evidence = name + " is " + ours + ", at the exchange " + theirs
		}
	}
	for i, name := range AmountsOf(dataset) {
		if e.Known&reference.Known&(1<<i) != 0 && e.Amounts[i] != reference.Amounts[i] {
			note(name, e.Amounts[i].String(), reference.Amounts[i].String())
		}
	}
	if e.Asset != reference.Asset && e.Asset != "" && reference.Asset != "" {
		note("asset", e.Asset, reference.Asset)
	}
	if e.Time/1000 != reference.Time/1000 {
		note("time", showTime(e.Time), showTime(reference.Time))
	}
	return fields, evidence
}
