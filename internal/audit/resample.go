package audit

import "fmt"

// CrossCheck holds bars of a long interval against the short ones that they are
// made of. Official bars agree exactly, in prices, volumes and trades, so it
// finds an altered bar on either side without a request.
type CrossCheck struct {
	long     Series
	calendar calendar
	bars     map[int64]Kline // of the long interval, by open time
	short    calendar

	sum      Kline
	rows     int64
	findings []Finding
}

// NewCrossCheck begins a check of bars, which belong to series long, by rows of
// the interval short. Its error is for intervals that do not nest; months and
// three days are not checked.
func NewCrossCheck(long Series, bars []Kline, short Interval) (*CrossCheck, error) {
	c := &CrossCheck{long: long, calendar: newCalendar(long.Interval), short: newCalendar(short), bars: make(map[int64]Kline, len(bars))}
	if c.short.step == 0 || c.calendar.step <= c.short.step || c.calendar.step%c.short.step != 0 || c.calendar.free || c.short.free {
		return nil, fmt.Errorf("%s bars are not made of %s bars", long.Interval, short)
	}
	for _, k := range bars {
		c.bars[k.OpenTime] = k
	}
	return c, nil
}

// Nests reports whether bars of one interval are made of those of another.
func Nests(long, short Interval) bool {
	_, err := NewCrossCheck(Series{Interval: long}, nil, short)
	return err == nil
}

// Add takes the next bar of the short interval, in the order of time.
func (c *CrossCheck) Add(k *Kline) {
	bucket := k.OpenTime - (k.OpenTime-c.calendar.offset)%c.calendar.step
	if c.rows == 0 || bucket != c.sum.OpenTime {
		c.finish()
		c.sum, c.rows = *k, 1
		c.sum.OpenTime = bucket
		return
	}
	c.rows++
	s := &c.sum
	if s.High.Less(k.High) {
		s.High = k.High
	}
	if k.Low.Less(s.Low) {
		s.Low = k.Low
	}
	s.Close, s.CloseTime = k.Close, k.CloseTime
	s.Volume = s.Volume.Add(k.Volume)
	s.QuoteVolume = s.QuoteVolume.Add(k.QuoteVolume)
	s.TakerBase = s.TakerBase.Add(k.TakerBase)
	s.TakerQuote = s.TakerQuote.Add(k.TakerQuote)
	s.Trades += k.Trades
	s.Has &= k.Has
}

// finish compares a bucket of which every row was there; what is missing is
// reported elsewhere.
func (c *CrossCheck) finish() {
	bar, ok := c.bars[c.sum.OpenTime]
	end := c.calendar.next(c.sum.OpenTime)
	if !ok || c.rows != c.short.count(c.sum.OpenTime, end) || len(c.findings) == maxFindings {
		return
	}
	fields, _ := bar.differences(&c.sum)
	if len(fields) == 0 {
		return
	}
	c.findings = append(c.findings, Finding{
		Series: c.long, Kind: Mismatch, Cause: Platform, From: micro(c.sum.OpenTime), To: micro(end), Count: 1, Fields: fields,
		Evidence: fmt.Sprintf("%s differs from what the shorter bars in it make", fields[0]),
	})
}

// Findings ends the check.
func (c *CrossCheck) Findings() []Finding {
	if c.rows > 0 {
		c.finish()
	}
	return c.findings
}
