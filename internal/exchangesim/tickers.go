package exchangesim

import (
	"math/big"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

const day = 24 * 60 * minute

// fundingEvery is between two fundings.
const fundingEvery = 8 * 60 * minute

func serveAvgPrice(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	const minutes = 5
	b := s.sum(c.ms()-minutes*minute, c.ms())
	price, at := s.last(c.ms()).price, c.ms()
	if b.Volume > 0 {
		price = b.Quote / b.Volume
	}
	return object{"mins": minutes, "price": s.price(price), "closeTime": at}, nil
}

func servePrice(c *call) (any, *fail) {
	return c.list(func(s *symbol) object {
		last := s.last(c.ms())
		o := object{"symbol": s.Name, "price": s.price(last.price)}
		if c.market != binance.Spot {
			o["time"] = last.at
		}
		if c.market == binance.COINM {
			o["ps"] = s.pair()
		}
		return o
	})
}

func serveBookTicker(c *call) (any, *fail) {
	return c.list(func(s *symbol) object {
		b := s.bookAt(c.ms())
		bid, ask := s.bids(b, 1), s.asks(b, 1)
		o := object{
			"symbol":   s.Name,
			"bidPrice": s.price(bid[0].price), "bidQty": s.qty(bid[0].qty),
			"askPrice": s.price(ask[0].price), "askQty": s.qty(ask[0].qty),
		}
		if c.market != binance.Spot {
			o["time"] = c.ms()
		}
		if c.market == binance.COINM {
			o["pair"] = s.pair()
		}
		return o
	})
}

func serveTicker(c *call) (any, *fail) {
	return c.list(func(s *symbol) object { return s.ticker(c.ms()) })
}

// over is what was traded between two times; it reads whole hours from what is kept.
func (s *symbol) over(from, to int64) Bar {
	const hour = 60 * minute
	b := Bar{FirstTrade: -1, LastTrade: -1}
	for at := from; at < to; {
		next := min(at-at%hour+hour, to)
		b.add(s.hour(at, next))
		at = next
	}
	return b
}

func (s *symbol) ticker(now int64) object {
	b := s.over(now-day, now)
	last := s.last(now)
	if b.Trades == 0 {
		b.O, b.H, b.L, b.C = last.price, last.price, last.price, last.price
	}
	average := b.C
	if b.Volume > 0 && s.Market == binance.COINM {
		// Quote is in the base asset there.
		q := new(big.Int).Mul(big.NewInt(b.Volume*contractSize), big.NewInt(pow10(8+s.PriceDigits)))
		average = q.Div(q, big.NewInt(max(1, b.Quote))).Int64()
	} else if b.Volume > 0 {
		average = b.Quote / b.Volume
	}
	o := object{
		"symbol": s.Name, "priceChange": s.price(b.C - b.O), "priceChangePercent": format((b.C-b.O)*100_000/b.O, 3, 3),
		"weightedAvgPrice": s.price(average), "lastPrice": s.price(last.price), "lastQty": s.qty(last.qty),
		"openPrice": s.price(b.O), "highPrice": s.price(b.H), "lowPrice": s.price(b.L), "volume": s.qty(b.Volume),
		"openTime": now - day, "closeTime": now, "firstId": b.FirstTrade, "lastId": b.LastTrade, "count": b.Trades,
	}
	switch s.Market {
	case binance.Spot:
		book := s.bookAt(now)
		bid, ask := s.bids(book, 1), s.asks(book, 1)
		o["bidPrice"], o["bidQty"] = s.price(bid[0].price), s.qty(bid[0].qty)
		o["askPrice"], o["askQty"] = s.price(ask[0].price), s.qty(ask[0].qty)
		o["prevClosePrice"], o["quoteVolume"] = s.price(b.O), s.worth(b.Quote)
	case binance.COINM:
		o["baseVolume"], o["pair"] = s.worth(b.Quote), s.pair()
	default:
		o["quoteVolume"] = s.worth(b.Quote)
	}
	return o
}

// fundingRate is in 1e-8.
func (s *symbol) fundingRate(at int64) int64 {
	return 10_000 + int64(s.tape.hash(at/fundingEvery, 7)%20_000) - 5_000
}

// mark is the mark price, of eight decimals.
func (s *symbol) mark(at int64) string {
	return format(s.tape.priceAt(s.tape.logical(at)), s.PriceDigits, 8)
}

func servePremiumIndex(c *call) (any, *fail) {
	return c.list(func(s *symbol) object {
		now := c.ms()
		o := object{
			"symbol": s.Name, "markPrice": s.mark(now), "indexPrice": s.mark(now), "estimatedSettlePrice": s.mark(now),
			"lastFundingRate": format(s.fundingRate(now), 8, 8), "interestRate": "0.00010000",
			"nextFundingTime": now - now%fundingEvery + fundingEvery, "time": now,
		}
		if c.market == binance.COINM {
			o["pair"] = s.pair()
		}
		return o
	})
}

func serveFundingRate(c *call) (any, *fail) {
	all, _, f := c.some()
	if f != nil {
		return nil, f
	}
	p, f := c.page("", 100, 1000)
	if f != nil {
		return nil, f
	}
	rows := []object{}
	for _, s := range all {
		first := max(p.from, s.tape.origin*minute)
		if !p.hasFrom {
			first = max(first, p.to-p.limit*fundingEvery)
		}
		for at := first - first%fundingEvery + fundingEvery; at <= p.to && int64(len(rows)) < p.limit; at += fundingEvery {
			row := object{"symbol": s.Name, "fundingTime": at, "fundingRate": format(s.fundingRate(at), 8, 8)}
			if c.market == binance.USDM {
				row["markPrice"] = s.mark(at)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func serveOpenInterest(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	o := object{"symbol": s.Name, "openInterest": s.qty(s.tape.size * 100_000), "time": c.ms()}
	if c.market == binance.COINM {
		o["pair"], o["contractType"] = s.pair(), "PERPETUAL"
	}
	return o, nil
}
