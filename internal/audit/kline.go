package audit

import "time"

// Kline is one bar. Times are in microseconds since the epoch, the finest unit
// that Binance uses.
type Kline struct {
	OpenTime  int64
	CloseTime int64 // 0 where the source has none
	Open      Decimal
	High      Decimal
	Low       Decimal
	Close     Decimal
	Volume    Decimal
	// What follows is known if its bit in Has is set.
	QuoteVolume Decimal
	Trades      int64
	TakerBase   Decimal
	TakerQuote  Decimal
	// FirstID and LastID are the trades in the bar, -1 where there are none, or the
	// source does not say.
	FirstID, LastID int64
	// CreatedAt is when the row was stored, 0 where the source does not say.
	CreatedAt int64
	Has       Columns
	// Broken says which value could not be read, and why; the other values of the
	// row mean nothing then.
	Broken string
}

// Columns is the set of a kline's optional columns.
type Columns uint8

// The optional columns.
const (
	HasQuoteVolume Columns = 1 << iota
	HasTrades
	HasTakerBase
	HasTakerQuote
	HasTradeIDs
)

// AllColumns is what Binance's own rows have.
const AllColumns = HasQuoteVolume | HasTrades | HasTakerBase | HasTakerQuote

// flaw is one way in which a bar contradicts itself.
type flaw uint16

const (
	flawLow flaw = 1 << iota
	flawHigh
	flawNegative
	flawTakerBase
	flawTakerQuote
	flawTrades
	flawIdle
	flawCloseTime
	flawOpenTime
)

// flaws returns all at once; most bars have none. A close time that is too
// early is not among them: a halt cuts bars short.
func (k *Kline) flaws(c calendar) flaw {
	var f flaw
	if k.Open.Less(k.Low) || k.Close.Less(k.Low) || k.High.Less(k.Low) {
		f |= flawLow
	}
	if k.High.Less(k.Open) || k.High.Less(k.Close) {
		f |= flawHigh
	}
	if k.Low.hi < 0 || k.Volume.hi < 0 || k.QuoteVolume.hi < 0 || k.TakerBase.hi < 0 || k.TakerQuote.hi < 0 || k.Trades < 0 {
		f |= flawNegative
	}
	if k.Has&HasTakerBase != 0 && k.Volume.Less(k.TakerBase) {
		f |= flawTakerBase
	}
	if k.Has&(HasTakerQuote|HasQuoteVolume) == HasTakerQuote|HasQuoteVolume && k.QuoteVolume.Less(k.TakerQuote) {
		f |= flawTakerQuote
	}
	if k.Has&HasTrades != 0 {
		if (k.Trades == 0) != k.Volume.IsZero() {
			f |= flawTrades
		}
		if k.Trades == 0 && k.High != k.Low {
			f |= flawIdle
		}
	}
	switch {
	case !c.aligned(k.OpenTime):
		f |= flawOpenTime
	case k.CloseTime != 0 && (k.CloseTime >= c.next(k.OpenTime) || k.CloseTime < k.OpenTime):
		f |= flawCloseTime
	}
	return f
}

// truncated reports whether the bar ends before its interval does. A source of
// milliseconds leaves out the last 999 µs.
func (k *Kline) truncated(c calendar) bool {
	return k.CloseTime != 0 && k.CloseTime < c.next(k.OpenTime)-time.Second.Microseconds()
}

// describe names the fields concerned and says what is wrong.
func (f flaw) describe(k *Kline) (fields []string, evidence string) {
	for _, d := range []struct {
		flaw   flaw
		fields []string
		text   string
	}{
		{flawLow, []string{"low"}, "low " + k.Low.String() + " is above another price of the bar"},
		{flawHigh, []string{"high"}, "high " + k.High.String() + " is below another price of the bar"},
		{flawNegative, []string{"sign"}, "a price, volume or count is negative"},
		{flawTakerBase, []string{"taker_base"}, "taker volume " + k.TakerBase.String() + " exceeds the volume " + k.Volume.String()},
		{flawTakerQuote, []string{"taker_quote"}, "taker quote volume " + k.TakerQuote.String() + " exceeds the quote volume " + k.QuoteVolume.String()},
		{flawTrades, []string{"trades", "volume"}, "the number of trades contradicts the volume " + k.Volume.String()},
		{flawIdle, []string{"high", "low"}, "prices move from " + k.Low.String() + " to " + k.High.String() + " without a trade"},
		{flawCloseTime, []string{"close_time"}, "the close time " + showTime(k.CloseTime) + " is outside the bar"},
		{flawOpenTime, []string{"open_time"}, "the open time " + showTime(k.OpenTime) + " is not the start of an interval"},
	} {
		if f&d.flaw == 0 {
			continue
		}
		fields = append(fields, d.fields...)
		if evidence == "" {
			evidence = d.text
		}
	}
	return fields, evidence
}

func showTime(us int64) string { return time.UnixMicro(us).UTC().Format(timeFormat) }

// differences returns the names of the fields in which k differs from the
// reference, of those that both have, and shows the first.
func (k *Kline) differences(reference *Kline) (fields []string, evidence string) {
	differ := func(name string, ours, theirs Decimal) {
		if ours == theirs {
			return
		}
		fields = append(fields, name)
		if evidence == "" {
			evidence = name + " is " + ours.String() + ", at the exchange " + theirs.String()
		}
	}
	differ("open", k.Open, reference.Open)
	differ("high", k.High, reference.High)
	differ("low", k.Low, reference.Low)
	differ("close", k.Close, reference.Close)
	differ("volume", k.Volume, reference.Volume)
	both := k.Has & reference.Has
	if both&HasQuoteVolume != 0 {
		differ("quote_volume", k.QuoteVolume, reference.QuoteVolume)
	}
	if both&HasTakerBase != 0 {
		differ("taker_base", k.TakerBase, reference.TakerBase)
	}
	if both&HasTakerQuote != 0 {
		differ("taker_quote", k.TakerQuote, reference.TakerQuote)
	}
	if both&HasTrades != 0 && k.Trades != reference.Trades {
		fields = append(fields, "trades")
		if evidence == "" {
			evidence = "trades differ from the exchange's"
		}
	}
	// Milliseconds and microseconds end a bar 999 µs apart.
	if a, b := k.CloseTime, reference.CloseTime; a != 0 && b != 0 && a/1000 != b/1000 {
		fields = append(fields, "close_time")
		if evidence == "" {
			evidence = "close time is " + showTime(a) + ", at the exchange " + showTime(b)
		}
	}
	return fields, evidence
}

func micro(us int64) time.Time { return time.UnixMicro(us).UTC() }
