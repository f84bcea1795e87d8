package exchangesim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

type object = map[string]any

// one is the symbol that a request must name.
func (c *call) one() (*symbol, *fail) {
	name := c.params.Get("symbol")
	if name == "" {
		return nil, missing("symbol")
	}
	if s := c.symbol(c.market, name); s != nil {
		return s, nil
	}
	return nil, refuse(http.StatusBadRequest, -1121, "Invalid symbol.")
}

// some are the symbols that a request names: one, several, or all. single is true
// if the answer is no list.
func (c *call) some() (all []*symbol, single bool, f *fail) {
	if c.params.Get("symbol") != "" {
		s, f := c.one()
		return []*symbol{s}, c.market != binance.COINM, f
	}
	text := c.params.Get("symbols")
	if text == "" {
		return c.listed[c.market], false, nil
	}
	var names []string
	if json.Unmarshal([]byte(text), &names) != nil || len(names) == 0 {
		return nil, false, refuse(http.StatusBadRequest, -1100, "Illegal characters found in parameter 'symbols'.")
	}
	for _, name := range names {
		s := c.symbol(c.market, name)
		if s == nil {
			return nil, false, refuse(http.StatusBadRequest, -1121, "Invalid symbol.")
		}
		all = append(all, s)
	}
	return all, false, nil
}

// list answers for the symbols that a request names.
func (c *call) list(show func(s *symbol) object) (any, *fail) {
	all, single, f := c.some()
	if f != nil {
		return nil, f
	}
	if single {
		return show(all[0]), nil
	}
	out := make([]object, len(all))
	for i, s := range all {
		out[i] = show(s)
	}
	return out, nil
}

// integer is a parameter, or absent if it is missing.
func (c *call) integer(name string, absent int64) (int64, *fail) {
	text := c.params.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, refuse(http.StatusBadRequest, -1100, "Illegal characters found in parameter '%s'; legal range is '^[0-9]{1,20}$'.", name)
	}
	return n, nil
}

// page is what most lists can be asked for.
type page struct {
	from, to, id, limit int64
	hasFrom, hasID      bool
}

func (c *call) page(idName string, limit, most int64) (p page, f *fail) {
	for _, q := range []struct {
		name   string
		to     *int64
		absent int64
	}{{"startTime", &p.from, -1}, {"endTime", &p.to, open}, {idName, &p.id, -1}, {"limit", &p.limit, limit}} {
		if *q.to, f = c.integer(q.name, q.absent); f != nil {
			return p, f
		}
	}
	p.hasFrom, p.hasID = p.from >= 0, p.id >= 0
	// What lies ahead is as empty as the next millisecond, and no number overflows.
	const greatestID = 1 << 53
	p.from, p.id = min(max(p.from, 0), c.ms()+1), min(p.id, greatestID)
	if p.limit > most || p.limit == 0 {
		if c.market != binance.Spot {
			return p, refuse(http.StatusBadRequest, -1130, "Data sent for parameter 'limit' is not valid.")
		}
		p.limit = most
	}
	p.to = min(p.to, c.ms())
	return p, nil
}

func servePing(*call) (any, *fail) { return object{}, nil }

func serveTime(c *call) (any, *fail) { return object{"serverTime": c.ms()}, nil }

func serveSystemStatus(c *call) (any, *fail) {
	c.mu.Lock()
	_, ill := c.fault(Maintenance, "", "", c.at)
	c.mu.Unlock()
	if ill {
		return object{"status": 1, "msg": "system_maintenance"}, nil
	}
	return object{"status": 0, "msg": "normal"}, nil
}

func serveAccountStatus(*call) (any, *fail) { return object{"data": "Normal"}, nil }

// serveWithdrawals is empty: nobody withdraws here.
func serveWithdrawals(*call) (any, *fail) { return []object{}, nil }

func serveKlines(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	iv, ok := parseInterval(c.params.Get("interval"))
	if !ok || iv.name == "1s" && c.market != binance.Spot {
		return nil, refuse(http.StatusBadRequest, -1120, "Invalid interval.")
	}
	most := int64(1500)
	if c.market == binance.Spot {
		most = 1000
	}
	p, f := c.page("", 500, most)
	if f != nil {
		return nil, f
	}
	const longest = 200 * 24 * 60 * minute
	if c.market == binance.COINM && p.hasFrom && p.to-p.from > longest {
		return nil, refuse(http.StatusBadRequest, -4088, "Maximum time interval is 200 days.")
	}
	rows := [][]any{}
	for _, b := range s.bars(iv, p, c.ms()) {
		rows = append(rows, s.row(b))
	}
	return rows, nil
}

// bars are a page of bars in the order of time; without a start they are the last.
func (s *symbol) bars(iv interval, p page, now int64) []Bar {
	var all []Bar
	first := iv.start(max(s.tape.origin*minute, p.from))
	if p.hasFrom && first < p.from {
		first = iv.end(first)
	}
	if p.hasFrom {
		for at := first; at <= p.to && int64(len(all)) < p.limit; at = iv.end(at) {
			if b, ok := s.bar(iv, at, now); ok {
				all = append(all, b)
			}
		}
		return all
	}
	for at := iv.start(p.to); at >= first && int64(len(all)) < p.limit; at = iv.before(at) {
		if b, ok := s.bar(iv, at, now); ok {
			all = append(all, b)
		}
	}
	slices.Reverse(all)
	return all
}

func (s *symbol) row(b Bar) []any {
	return []any{
		b.Open, s.price(b.O), s.price(b.H), s.price(b.L), s.price(b.C), s.qty(b.Volume), b.Close,
		s.worth(b.Quote), b.Trades, s.qty(b.TakerVolume), s.worth(b.TakerQuote), "0",
	}
}

func serveAggTrades(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	p, f := c.page("fromId", 500, 1000)
	if f != nil {
		return nil, f
	}
	rows := []object{}
	if len(s.Recorded) > 0 {
		return rows, nil
	}
	now, t := c.ms(), s.tape
	end := t.next(now) // The first that did not happen yet.
	begin := max(end-p.limit, t.aggsBefore(t.origin))
	switch {
	case p.hasID:
		begin = max(p.id, t.aggsBefore(t.origin))
	case p.hasFrom:
		begin = t.next(p.from)
		fallthrough
	default:
		end = min(end, t.next(p.to+1))
	}
	if !p.hasID && !p.hasFrom {
		begin = max(end-p.limit, t.aggsBefore(t.origin))
	}
	// Futures keep no more than the last day or two; measured as -4166.
	const kept = 48 * 60 * minute
	if a, ok := t.byID(begin); ok && c.market != binance.Spot && begin < end && a.at < now-kept {
		return nil, refuse(http.StatusBadRequest, -4166, "Search window is restricted to recent 24 hours only.")
	}
	for i := begin; i < min(end, begin+p.limit); i++ {
		a, _ := t.byID(i)
		rows = append(rows, s.aggRow(a))
	}
	return rows, nil
}

func (s *symbol) aggRow(a agg) object {
	o := object{"a": a.id, "p": s.price(a.price), "q": s.qty(a.qty), "f": a.first, "l": a.last, "T": a.at, "m": a.seller}
	if s.Market == binance.Spot {
		o["M"] = true
	}
	return o
}

func serveTrades(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	p, f := c.page("fromId", 500, 1000)
	if f != nil {
		return nil, f
	}
	rows := []object{}
	if len(s.Recorded) > 0 {
		return rows, nil
	}
	t := s.tape
	end := t.firstTrade(t.next(c.ms()))
	begin := end - p.limit
	if p.hasID {
		begin = p.id
	}
	begin = max(begin, t.firstTrade(t.aggsBefore(t.origin)))
	for i := t.aggOf(begin); int64(len(rows)) < p.limit && t.firstTrade(i) < end; i++ {
		a, _ := t.byID(i)
		for _, one := range a.trades() {
			if one.id >= begin && int64(len(rows)) < p.limit {
				rows = append(rows, s.tradeRow(one))
			}
		}
	}
	return rows, nil
}

func (s *symbol) tradeRow(t trade) object {
	o := object{"id": t.id, "price": s.price(t.price), "qty": s.qty(t.qty), "time": t.at, "isBuyerMaker": t.seller}
	worth := s.worth(s.quote(t.price, t.qty))
	switch s.Market {
	case binance.Spot:
		o["quoteQty"], o["isBestMatch"] = worth, true
	case binance.COINM:
		o["baseQty"] = worth
	default:
		o["quoteQty"] = worth
	}
	return o
}

func serveDepth(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	absent := int64(500)
	if c.market == binance.Spot {
		absent = 100
	}
	n, f := c.integer("limit", absent)
	if f != nil {
		return nil, f
	}
	if c.market != binance.Spot && !slices.Contains([]int64{5, 10, 20, 50, 100, 500, 1000}, n) {
		return nil, refuse(http.StatusBadRequest, -4021, "%d is not valid depth limit.", n)
	}
	n = min(max(n, 1), bookLevels)
	b := s.bookAt(c.ms())
	o := object{"lastUpdateId": b.lastID(), "bids": s.levels(s.bids(b, int(n))), "asks": s.levels(s.asks(b, int(n)))}
	if c.market != binance.Spot {
		o["E"], o["T"] = c.ms(), c.ms()
	}
	if c.market == binance.COINM {
		o["symbol"], o["pair"] = s.Name, s.pair()
	}
	return o, nil
}

// pair is the underlying of a contract.
func (s *symbol) pair() string { return s.Base + s.Quote }
