package exchangesim

import (
	"hash/fnv"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// contractSize is what one contract of COIN-M is worth, in its quote asset.
const contractSize = 100

// symbol is a Symbol with its tape.
type symbol struct {
	Symbol
	tape *tape
}

func (e *Exchange) newSymbol(s Symbol) *symbol {
	base, ok := parse(s.Price, s.PriceDigits)
	if !ok {
		base = pow10(s.PriceDigits)
	}
	return &symbol{Symbol: s, tape: newTape(named(e.cfg.Seed, string(s.Market)+" "+s.Name), named(e.cfg.Seed, s.Base+s.Quote), s, base, e.cfg.Since)}
}

func named(seed uint64, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return mix(seed ^ h.Sum64())
}

// quoteScale is the decimals of quote volumes.
func (s *symbol) quoteScale() int {
	if s.Market == binance.COINM {
		return 8
	}
	return s.PriceDigits + s.QuantityDigits
}

// quote is what a trade is worth in the quote asset; for COIN-M in the base asset.
func (s *symbol) quote(price, qty int64) int64 {
	if s.Market == binance.COINM {
		return qty * contractSize * pow10(8+s.PriceDigits) / price
	}
	return price * qty
}

// price writes a price; spot always has eight decimals.
func (s *symbol) price(v int64) string { return s.decimal(v, s.PriceDigits) }

func (s *symbol) qty(v int64) string { return s.decimal(v, s.QuantityDigits) }

func (s *symbol) worth(v int64) string { return s.decimal(v, s.quoteScale()) }

func (s *symbol) decimal(v int64, scale int) string {
	if s.Market == binance.Spot {
		return format(v, scale, 8)
	}
	return format(v, scale, scale)
}

// last is the newest trade before a time.
func (s *symbol) last(at int64) agg {
	if a, ok := s.tape.byID(s.tape.next(at) - 1); ok {
		return a
	}
	return agg{price: s.tape.priceAt(s.tape.logical(at)), qty: s.tape.size, at: at}
}

// trade is one trade of an aggregate.
type trade struct {
	id, price, qty, at int64
	seller             bool
}

// trades are those of an aggregate: equal parts, the first with what is left over.
func (a agg) trades() []trade {
	n := a.last - a.first + 1
	all := make([]trade, n)
	for i := range all {
		all[i] = trade{id: a.first + int64(i), price: a.price, qty: a.qty / n, at: a.at, seller: a.seller}
	}
	all[0].qty += a.qty % n
	return all
}
