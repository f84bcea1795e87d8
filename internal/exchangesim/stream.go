package exchangesim

import (
	"strconv"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// subscription is a stream on a connection. Without a symbol it is one that the
// exchange does not know, which is acknowledged and silent.
type subscription struct {
	kind   kind
	symbol *symbol
	// make returns the events after one time until another, in ms.
	make func(from, to int64) []object
	sent int64 // Until when events were made.
}

// events are those until now. Who was away for long gets the last minutes only.
func (s *subscription) events(now int64) []object {
	const most = 5 * minute
	from := max(s.sent, now-most)
	s.sent = now
	if s.make == nil || now <= from {
		return nil
	}
	return s.make(from, now)
}

// subscribe finds the stream of a name, which is written in lower case.
func (e *Exchange) subscribe(m binance.Market, name string) *subscription {
	sub := &subscription{kind: marketKind, sent: e.Now().UnixMilli()}
	at, stream, _ := strings.Cut(name, "@")
	s := e.symbol(m, strings.ToUpper(at))
	if s == nil || at != strings.ToLower(at) || len(s.Recorded) > 0 {
		return sub
	}
	stream, speed, _ := strings.Cut(stream, "@")
	sub.symbol = s
	switch {
	case stream == "aggTrade":
		sub.make = s.aggEvents
	case stream == "trade":
		sub.make = s.tradeEvents
	case stream == "bookTicker":
		sub.kind, sub.make = publicKind, s.bookTickerEvents
	case stream == "markPrice" && m != binance.Spot:
		sub.make = s.every(pick[int64](speed == "1s", 1000, 3000), s.markEvent)
	case stream == "ticker" || stream == "miniTicker":
		sub.make = s.every(pick[int64](m == binance.Spot, 1000, 2000), func(at int64) object { return s.tickerEvent(stream, at) })
	case strings.HasPrefix(stream, "kline_"):
		if iv, ok := parseInterval(strings.TrimPrefix(stream, "kline_")); ok {
			sub.make = s.klines(iv)
		}
	case strings.HasPrefix(stream, "depth"):
		sub.kind, sub.make = publicKind, s.depth(strings.TrimPrefix(stream, "depth"), speed)
	}
	return sub
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

func (s *symbol) aggEvents(from, to int64) (all []object) {
	s.tape.each(from+1, to+1, func(a agg) bool {
		o := s.aggRow(a)
		o["e"], o["E"], o["s"] = "aggTrade", a.at, s.Name
		all = append(all, o)
		return true
	})
	return all
}

func (s *symbol) tradeEvents(from, to int64) (all []object) {
	s.tape.each(from+1, to+1, func(a agg) bool {
		for _, t := range a.trades() {
			o := object{"e": "trade", "E": t.at, "T": t.at, "s": s.Name, "t": t.id, "p": s.price(t.price), "q": s.qty(t.qty), "m": t.seller}
			if s.Market == binance.Spot {
				o["M"] = true
			} else {
				o["X"] = "MARKET"
			}
			all = append(all, o)
		}
		return true
	})
	return all
}

// every makes an event at each multiple of a time, while there is trading.
func (s *symbol) every(period int64, event func(at int64) object) func(from, to int64) []object {
	return func(from, to int64) (all []object) {
		for at := from - from%period + period; at <= to; at += period {
			if _, halted := s.tape.halted(at); !halted {
				all = append(all, event(at))
			}
		}
		return all
	}
}

func (s *symbol) markEvent(at int64) object {
	return object{
		"e": "markPriceUpdate", "E": at, "s": s.Name, "p": s.mark(at), "i": s.mark(at), "P": s.mark(at),
		"r": format(s.fundingRate(at), 8, 8), "T": at - at%fundingEvery + fundingEvery,
	}
}

func (s *symbol) tickerEvent(stream string, at int64) object {
	t := s.ticker(at)
	o := object{
		"e": pick(stream == "ticker", "24hrTicker", "24hrMiniTicker"), "E": at, "s": s.Name,
		"c": t["lastPrice"], "o": t["openPrice"], "h": t["highPrice"], "l": t["lowPrice"], "v": t["volume"], "q": pick(s.Market == binance.COINM, t["baseVolume"], t["quoteVolume"]),
	}
	if stream == "ticker" {
		for short, long := range map[string]string{
			"p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "Q": "lastQty", "O": "openTime", "C": "closeTime",
			"F": "firstId", "L": "lastId", "n": "count",
		} {
			o[short] = t[long]
		}
	}
	return o
}

// klines pushes a bar while it grows, if something was traded, and once when it is
// closed. The last push comes some ms after the end.
func (s *symbol) klines(iv interval) func(from, to int64) []object {
	period := pick[int64](s.Market == binance.Spot, 2000, 250)
	if iv.name == "1s" {
		period = 1000
	}
	const late = 20
	event := func(b Bar, at int64, closed bool) object {
		return object{"e": "kline", "E": at, "s": s.Name, "k": object{
			"t": b.Open, "T": b.Close, "s": s.Name, "i": iv.name, "f": b.FirstTrade, "L": b.LastTrade,
			"o": s.price(b.O), "c": s.price(b.C), "h": s.price(b.H), "l": s.price(b.L), "v": s.qty(b.Volume), "n": b.Trades,
			"x": closed, "q": s.worth(b.Quote), "V": s.qty(b.TakerVolume), "Q": s.worth(b.TakerQuote), "B": "0",
		}}
	}
	return func(from, to int64) (all []object) {
		for at := from - from%period + period; at <= to; at += period {
			if b, ok := s.bar(iv, iv.start(at), at); ok && s.tape.next(at) > s.tape.next(at-period) {
				all = append(all, event(b, at, false))
			}
		}
		for end := iv.end(iv.start(from - late)); end+late <= to; end = iv.end(end) {
			if b, ok := s.bar(iv, iv.start(end-1), end); ok {
				all = append(all, event(b, end+late, true))
			}
		}
		return all
	}
}

func (s *symbol) bookTickerEvents(from, to int64) (all []object) {
	first, last := s.bookAt(from).step, s.bookAt(to).step
	for step := first + 1; step <= last; step++ {
		b := s.bookOf(step)
		bid, ask := s.bids(b, 1)[0], s.asks(b, 1)[0]
		before := s.bookOf(step - 1)
		if s.bids(before, 1)[0] == bid && s.asks(before, 1)[0] == ask {
			continue
		}
		o := object{"u": b.lastID(), "s": s.Name, "b": s.price(bid.price), "B": s.qty(bid.qty), "a": s.price(ask.price), "A": s.qty(ask.qty)}
		if s.Market != binance.Spot {
			at := s.tape.real(step * bookStep)
			o["e"], o["T"], o["E"] = "bookTicker", at, at
		}
		all = append(all, o)
	}
	return all
}

// depth makes updates of the book, or its best levels if levels says how many.
func (s *symbol) depth(levels, speed string) func(from, to int64) []object {
	steps := pick[int64](s.Market == binance.Spot, 10, 2)
	if ms, err := strconv.ParseInt(strings.TrimSuffix(speed, "ms"), 10, 64); err == nil {
		steps = max(1, ms/bookStep)
	}
	n := 0
	if levels != "" {
		var err error
		if n, err = strconv.Atoi(levels); err != nil || n != 5 && n != 10 && n != 20 {
			return nil
		}
	}
	return func(from, to int64) (all []object) {
		first, last := s.bookAt(from).step, s.bookAt(to).step
		for step := first - first%steps + steps; step <= last; step += steps {
			if n > 0 {
				all = append(all, s.partial(s.bookOf(step), n, steps))
				continue
			}
			all = append(all, s.update(s.bookOf(step-steps), s.bookOf(step)))
		}
		return all
	}
}

// update is what changed between two states of the book.
func (s *symbol) update(from, to book) object {
	bids, asks := s.bookChanges(from, to)
	at := s.tape.real(to.step * bookStep)
	o := object{"e": "depthUpdate", "E": at, "s": s.Name, "U": from.lastID() + 1, "u": to.lastID(), "b": s.levels(bids), "a": s.levels(asks)}
	if s.Market != binance.Spot {
		o["T"], o["pu"] = at, from.lastID()
	}
	return o
}

func (s *symbol) partial(b book, n int, steps int64) object {
	bids, asks := s.levels(s.bids(b, n)), s.levels(s.asks(b, n))
	if s.Market == binance.Spot {
		return object{"lastUpdateId": b.lastID(), "bids": bids, "asks": asks}
	}
	before, at := b.lastID()-steps*bookIDs, s.tape.real(b.step*bookStep)
	return object{"e": "depthUpdate", "E": at, "T": at, "s": s.Name, "U": before + 1, "u": b.lastID(), "pu": before, "b": bids, "a": asks}
}
