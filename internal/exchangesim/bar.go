package exchangesim

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Bar is a kline. Prices and quantities are integers with the symbol's digits, the
// quote volumes with those of both together.
type Bar struct {
	Open, Close           int64 // ms; Close is the last of it.
	O, H, L, C            int64
	Volume, Quote         int64
	TakerVolume           int64
	TakerQuote            int64
	FirstTrade, LastTrade int64
	Trades                int64
}

// add appends what happened after b.
func (b *Bar) add(next Bar) {
	if next.Trades == 0 {
		return
	}
	if b.Trades == 0 {
		b.O, b.H, b.L, b.FirstTrade = next.O, next.H, next.L, next.FirstTrade
	}
	b.H, b.L, b.C = max(b.H, next.H), min(b.L, next.L), next.C
	b.Volume, b.Quote = b.Volume+next.Volume, b.Quote+next.Quote
	b.TakerVolume, b.TakerQuote = b.TakerVolume+next.TakerVolume, b.TakerQuote+next.TakerQuote
	b.LastTrade = next.LastTrade
	b.Trades += next.Trades
}

// interval is the length of bars. Those of a month have none.
type interval struct {
	name   string
	length int64
	// offset is where those begin that do not divide the time since 1970: weeks
	// begin on Monday.
	offset int64
}

const month = 0

func parseInterval(name string) (interval, bool) {
	const hour, day = 60 * minute, 24 * 60 * minute
	lengths := map[string]int64{
		"1s": 1000, "1m": minute, "3m": 3 * minute, "5m": 5 * minute, "15m": 15 * minute, "30m": 30 * minute,
		"1h": hour, "2h": 2 * hour, "4h": 4 * hour, "6h": 6 * hour, "8h": 8 * hour, "12h": 12 * hour,
		"1d": day, "3d": 3 * day, "1w": 7 * day, "1M": month,
	}
	length, ok := lengths[name]
	iv := interval{name: name, length: length}
	if name == "1w" {
		iv.offset = 4 * day
	}
	return iv, ok
}

// start is the beginning of the bar that has the time.
func (iv interval) start(at int64) int64 {
	if iv.length == month {
		t := time.UnixMilli(at).UTC()
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	}
	return at - (at-iv.offset)%iv.length
}

// end is the beginning of the next bar.
func (iv interval) end(start int64) int64 {
	if iv.length == month {
		return time.UnixMilli(start).UTC().AddDate(0, 1, 0).UnixMilli()
	}
	return start + iv.length
}

// before is the beginning of the bar before the one that begins at start.
func (iv interval) before(start int64) int64 { return iv.start(start - 1) }

// bar is the bar that begins at start, as far as it is at now. There is none while
// trading was halted all the time.
func (s *symbol) bar(iv interval, start, now int64) (Bar, bool) {
	end := iv.end(start)
	until := min(end, now+1)
	b := Bar{Open: start, Close: end - 1, FirstTrade: -1, LastTrade: -1}
	if until <= start || end <= s.tape.origin*minute {
		return b, false
	}
	if len(s.Recorded) > 0 {
		return s.recorded(b, end, now)
	}
	if s.tape.logical(until) == s.tape.logical(start) {
		return b, false
	}
	const hour = 60 * minute
	if iv.length >= hour || iv.length == month {
		for at := start; at < until; at += hour {
			b.add(s.hour(at, min(at+hour, until)))
		}
	} else {
		b.add(s.sum(start, until))
	}
	if since, halted := s.tape.halted(min(end-1, now)); halted && since > start && now >= since {
		b.Close = since
	}
	if b.Trades == 0 {
		s.flat(&b)
	}
	return b, true
}

// flat fills a bar without trades with the price before it.
func (s *symbol) flat(b *Bar) {
	if a, ok := s.tape.byID(s.tape.next(b.Open) - 1); ok {
		b.O, b.H, b.L, b.C = a.price, a.price, a.price, a.price
		return
	}
	p := s.tape.priceAt(s.tape.logical(b.Open))
	b.O, b.H, b.L, b.C = p, p, p, p
}

// hour is the sum of an hour; whole ones are kept.
func (s *symbol) hour(from, to int64) Bar {
	const hour = 60 * minute
	if to-from < hour {
		return s.sum(from, to)
	}
	t := s.tape
	t.mu.Lock()
	b, ok := t.hours[from]
	t.mu.Unlock()
	if ok {
		return b
	}
	b = s.sum(from, to)
	t.mu.Lock()
	defer t.mu.Unlock()
	const enough = 20_000
	if len(t.hours) >= enough {
		clear(t.hours)
	}
	t.hours[from] = b
	return b
}

// sum is what was traded from a time to another, without the latter.
func (s *symbol) sum(from, to int64) Bar {
	var b Bar
	s.tape.each(from, to, func(a agg) bool {
		next := Bar{
			O: a.price, H: a.price, L: a.price, C: a.price, Volume: a.qty, Quote: s.quote(a.price, a.qty),
			FirstTrade: a.first, LastTrade: a.last, Trades: a.last - a.first + 1,
		}
		if !a.seller {
			next.TakerVolume, next.TakerQuote = next.Volume, next.Quote
		}
		b.add(next)
		return true
	})
	return b
}

func (s *symbol) recorded(b Bar, end, now int64) (Bar, bool) {
	i, _ := slices.BinarySearchFunc(s.Recorded, b.Open, func(r Bar, at int64) int { return int(r.Open - at) })
	found := false
	last := b.Close
	for ; i < len(s.Recorded) && s.Recorded[i].Open < end && s.Recorded[i].Open <= now; i++ {
		r := s.Recorded[i]
		if !found {
			b.O, b.H, b.L, b.C = r.O, r.H, r.L, r.C
		}
		found = true
		last = r.Close
		b.add(r)
	}
	if end-b.Open == minute {
		b.Close = last
	}
	return b, found
}

// ReadBars reads bars of a minute in the form of the official archives, with or
// without a header, in milliseconds or microseconds.
func ReadBars(r io.Reader, priceDigits, quantityDigits int) ([]Bar, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	var bars []Bar
	for line := 1; ; line++ {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return bars, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read bars: %w", err)
		}
		if line == 1 && len(fields) > 0 && fields[0] == "open_time" {
			continue
		}
		b, ok := readBar(fields, priceDigits, quantityDigits)
		if !ok || len(bars) > 0 && b.Open <= bars[len(bars)-1].Open {
			return nil, fmt.Errorf("read bars: line %d is no bar with %d and %d digits after the one before it", line, priceDigits, quantityDigits)
		}
		bars = append(bars, b)
	}
}

func readBar(f []string, pd, qd int) (b Bar, ok bool) {
	const columns = 11
	if len(f) < columns {
		return b, false
	}
	ok = true
	decimal := func(text string, digits int) int64 {
		// Archives write eight decimals, of which the last are zero.
		v, good := parse(text, max(digits, 8))
		ok = ok && good
		return rescale(v, max(digits, 8), digits)
	}
	integer := func(text string) int64 {
		v, err := strconv.ParseInt(text, 10, 64)
		ok = ok && err == nil
		return v
	}
	b = Bar{
		Open: integer(f[0]), Close: integer(f[6]), O: decimal(f[1], pd), H: decimal(f[2], pd), L: decimal(f[3], pd), C: decimal(f[4], pd),
		Volume: decimal(f[5], qd), Quote: decimal(f[7], pd+qd), Trades: integer(f[8]),
		TakerVolume: decimal(f[9], qd), TakerQuote: decimal(f[10], pd+qd), FirstTrade: -1, LastTrade: -1,
	}
	const microseconds = 1e14
	if b.Open > microseconds {
		b.Open, b.Close = b.Open/1000, b.Close/1000
	}
	return b, ok
}
