package exchangesim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// order is an order of an account. It fills whole or not at all.
type order struct {
	id               int64
	client           string
	symbol           *symbol
	buy, reduce      bool
	kind, tif        string
	price, qty       int64
	filled, average  int64
	status           string
	created, updated int64
}

func (o *order) open() bool { return o.status == "NEW" }

// newOrder reads and checks the parameters of an order.
func (c *call) newOrder() (*order, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	p := c.params
	o := &order{symbol: s, buy: p.Get("side") == "BUY", kind: p.Get("type"), tif: p.Get("timeInForce"), client: p.Get("newClientOrderId"), created: c.ms(), updated: c.ms(), status: "NEW"}
	o.reduce = p.Get("reduceOnly") == "true"
	if !o.buy && p.Get("side") != "SELL" {
		return nil, refuse(http.StatusBadRequest, -1117, "Invalid side.")
	}
	limit := o.kind == "LIMIT" || o.kind == "LIMIT_MAKER" && c.market == binance.Spot
	if !limit && o.kind != "MARKET" {
		return nil, refuse(http.StatusBadRequest, -1116, "Invalid orderType.")
	}
	if o.kind == "LIMIT" && !slices.Contains([]string{"GTC", "IOC", "FOK", "GTX"}, o.tif) {
		return nil, missing("timeInForce")
	}
	var ok bool
	if o.qty, ok = parse(p.Get("quantity"), s.QuantityDigits); !ok || o.qty <= 0 {
		if p.Get("quantity") == "" {
			return nil, missing("quantity")
		}
		return nil, refuse(http.StatusBadRequest, -1013, "Filter failure: LOT_SIZE")
	}
	const mostUnits = 10_000
	if o.qty > mostUnits*pow10(s.QuantityDigits) {
		return nil, refuse(http.StatusBadRequest, -1013, "Filter failure: LOT_SIZE")
	}
	if limit {
		if o.price, ok = parse(p.Get("price"), s.PriceDigits); !ok || o.price <= 0 || o.price > 5*s.tape.base {
			return nil, refuse(http.StatusBadRequest, -1013, "Filter failure: PRICE_FILTER")
		}
	}
	if c.status(s, c.ms()) != "TRADING" {
		return nil, refuse(http.StatusBadRequest, -1013, "Market is closed.")
	}
	return o, nil
}

func serveTestOrder(c *call) (any, *fail) {
	if _, f := c.newOrder(); f != nil {
		return nil, f
	}
	return object{}, nil
}

func serveNewOrder(c *call) (any, *fail) {
	o, f := c.newOrder()
	if f != nil {
		c.uncount()
		return nil, f
	}
	w, unlock := c.use()
	defer unlock()
	book := o.symbol.bookAt(c.ms())
	best := book.best
	if o.buy {
		best += book.grid
	}
	takes := o.kind == "MARKET" || o.buy && o.price >= best || !o.buy && o.price <= best
	if o.kind == "LIMIT_MAKER" && takes {
		c.uncount()
		return nil, refuse(http.StatusBadRequest, -2010, "Order would immediately match and take.")
	}
	if c.market == binance.Spot && !w.affords(o, best) {
		c.uncount()
		return nil, refuse(http.StatusBadRequest, -2010, "Account has insufficient balance for requested action.")
	}
	o.id = c.account.nextOrder
	c.account.nextOrder++
	if o.client == "" {
		o.client = fmt.Sprintf("sim%d", o.id)
	}
	w.orders = append(bounded(w.orders), o)
	c.countOrder()
	switch {
	case takes && o.tif != "GTX":
		c.account.emit(c.market, o.event(fill{}, "NEW", c.ms()))
		c.fill(c.account, o, best, false, c.ms())
		c.filled = c.market == binance.Spot
	case takes || o.tif == "IOC" || o.tif == "FOK":
		o.status = "EXPIRED"
		c.account.emit(c.market, o.event(fill{}, "EXPIRED", c.ms()))
	default:
		c.account.emit(c.market, o.event(fill{}, "NEW", c.ms()))
	}
	return o.row(true), nil
}

// uncount takes back the count of an order that was refused before the matching
// engine saw it.
func (c *call) uncount() {
	c.mu.Lock()
	defer c.mu.Unlock()
	unfill(c.orders, c.at)
}

func (c *call) countOrder() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Orders++
}

// affords is true if a spot wallet has what an order gives.
func (w *wallet) affords(o *order, best int64) bool {
	s := o.symbol
	if !o.buy {
		return w.balances[s.Base] >= rescale(o.qty, s.QuantityDigits, moneyScale)
	}
	price := o.price
	if price == 0 {
		price = best
	}
	return w.balances[s.Quote] >= rescale(s.quote(price, o.qty), s.quoteScale(), moneyScale)
}

// commissions, as parts of a hundred thousand.
func commission(m binance.Market, maker bool) int64 {
	switch {
	case m == binance.Spot:
		return 100
	case maker:
		return 20
	}
	return 50
}

// fill executes an order. The account is locked.
func (e *Exchange) fill(a *account, o *order, price int64, maker bool, at int64) {
	s, w := o.symbol, a.wallets[o.symbol.Market]
	id := max(s.tape.firstTrade(s.tape.next(at)), w.lastFill[s]+1)
	w.lastFill[s] = id
	worth := rescale(s.quote(price, o.qty), s.quoteScale(), moneyScale)
	f := fill{trade: trade{id: id, price: price, qty: o.qty, at: at}, symbol: s, order: o.id, buyer: o.buy, maker: maker}
	o.filled, o.average, o.status, o.updated = o.qty, price, "FILLED", at
	fee := commission(s.Market, maker)
	if s.Market == binance.Spot {
		units := rescale(o.qty, s.QuantityDigits, moneyScale)
		if o.buy {
			f.commission, f.asset = units*fee/100_000, s.Base
			w.balances[s.Base] += units
			w.balances[s.Quote] -= worth
		} else {
			f.commission, f.asset = worth/100_000*fee, s.Quote
			w.balances[s.Base] -= units
			w.balances[s.Quote] += worth
		}
		w.balances[f.asset] -= f.commission
	} else {
		f.commission, f.asset = worth/100_000*fee, s.marginAsset()
		f.realized = w.move(s, o.signed(), price)
		a.earn(w, income{symbol: s, kind: "COMMISSION", amount: -f.commission, at: at, trade: id})
		if f.realized != 0 {
			a.earn(w, income{symbol: s, kind: "REALIZED_PNL", amount: f.realized, at: at, trade: id})
		}
	}
	w.fills = append(bounded(w.fills), f)
	a.emit(s.Market, o.event(f, "TRADE", at))
	a.emit(s.Market, w.event(s, f.asset, at))
}

func (o *order) signed() int64 {
	if o.buy {
		return o.qty
	}
	return -o.qty
}

// gain is what a position of qty that was entered at one price earns at another.
func (s *symbol) gain(entry, price, qty int64) int64 {
	if entry == 0 {
		return 0
	}
	if s.Market == binance.COINM {
		return s.quote(entry, qty) - s.quote(price, qty)
	}
	return s.quote(price, qty) - s.quote(entry, qty)
}

// move changes a position and returns what that realized, as money.
func (w *wallet) move(s *symbol, qty, price int64) int64 {
	p := w.positions[s]
	if p == nil {
		p = new(position)
		w.positions[s] = p
	}
	if p.qty == 0 || p.qty > 0 == (qty > 0) {
		// The average of what was and what comes; quantities are small enough.
		p.entry = (p.entry*abs(p.qty) + price*abs(qty)) / (abs(p.qty) + abs(qty))
		p.qty += qty
		return 0
	}
	closed := min(abs(p.qty), abs(qty))
	if p.qty < 0 {
		closed = -closed
	}
	realized := s.gain(p.entry, price, closed)
	p.qty += qty
	if p.qty == 0 {
		p.entry = 0
	} else if p.qty > 0 == (qty > 0) {
		p.entry = price
	}
	return rescale(realized, s.quoteScale(), moneyScale)
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}

// find is the order that a request names.
func (c *call) find(w *wallet, s *symbol) *order {
	id, _ := c.integer("orderId", -1)
	client := c.params.Get("origClientOrderId")
	for _, o := range slices.Backward(w.orders) {
		if o.symbol == s && (o.id == id || client != "" && o.client == client) {
			return o
		}
	}
	return nil
}

func serveCancel(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	w, unlock := c.use()
	defer unlock()
	o := c.find(w, s)
	if o == nil || !o.open() {
		return nil, refuse(http.StatusBadRequest, -2011, "Unknown order sent.")
	}
	c.cancelOrder(o)
	return o.row(false), nil
}

func (c *call) cancelOrder(o *order) {
	o.status, o.updated = "CANCELED", c.ms()
	c.account.emit(c.market, o.event(fill{}, "CANCELED", c.ms()))
}

func serveCancelAll(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	w, unlock := c.use()
	defer unlock()
	rows := []object{}
	for _, o := range w.orders {
		if o.symbol == s && o.open() {
			c.cancelOrder(o)
			rows = append(rows, o.row(false))
		}
	}
	if c.market != binance.Spot {
		return object{"code": 200, "msg": "The operation of cancel all open order is done."}, nil
	}
	if len(rows) == 0 {
		return nil, refuse(http.StatusBadRequest, -2011, "Unknown order sent.")
	}
	return rows, nil
}

func serveOrder(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	w, unlock := c.use()
	defer unlock()
	o := c.find(w, s)
	if o == nil {
		return nil, refuse(http.StatusBadRequest, -2013, "Order does not exist.")
	}
	return o.row(false), nil
}

func serveOpenOrders(c *call) (any, *fail) {
	return c.orderRows(func(o *order) bool {
		return o.open() && (c.params.Get("symbol") == "" || c.params.Get("symbol") == o.symbol.Name)
	}, open)
}

func serveAllOrders(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	p, f := c.page("orderId", 500, 1000)
	if f != nil {
		return nil, f
	}
	return c.orderRows(func(o *order) bool {
		return o.symbol == s && o.id >= p.id && o.created >= p.from && o.created <= p.to
	}, p.limit)
}

func (c *call) orderRows(want func(*order) bool, limit int64) (any, *fail) {
	w, unlock := c.use()
	defer unlock()
	rows := []object{}
	for _, o := range w.orders {
		if want(o) && int64(len(rows)) < limit {
			rows = append(rows, o.row(false))
		}
	}
	return rows, nil
}

// row is an order as REST tells it.
func (o *order) row(placed bool) object {
	s := o.symbol
	cum := s.worth(s.quote(max(1, o.average), o.filled))
	r := object{
		"symbol": s.Name, "orderId": o.id, "clientOrderId": o.client, "price": s.price(o.price), "origQty": s.qty(o.qty),
		"executedQty": s.qty(o.filled), "status": o.status, "timeInForce": o.timeInForce(), "type": o.kind, "side": side(o.buy),
	}
	if s.Market == binance.Spot {
		r["orderListId"], r["cummulativeQuoteQty"], r["selfTradePreventionMode"] = -1, cum, "NONE"
		r["workingTime"] = o.created
		if placed {
			r["transactTime"], r["fills"] = o.updated, []object{}
			if o.filled > 0 {
				r["fills"] = []object{{"price": s.price(o.average), "qty": s.qty(o.filled), "commission": "0.00000000", "commissionAsset": s.Quote}}
			}
			return r
		}
		r["time"], r["updateTime"], r["isWorking"] = o.created, o.updated, true
		return r
	}
	r["avgPrice"], r["reduceOnly"], r["positionSide"], r["closePosition"] = s.price(o.average), o.reduce, "BOTH", false
	r["time"], r["updateTime"], r["origType"], r["workingType"] = o.created, o.updated, o.kind, "CONTRACT_PRICE"
	if s.Market == binance.COINM {
		r["cumBase"], r["pair"] = cum, s.pair()
		return r
	}
	r["cumQuote"] = cum
	return r
}

func (o *order) timeInForce() string {
	if o.tif == "" {
		return "GTC"
	}
	return o.tif
}

// event is an order as the user data stream tells it.
func (o *order) event(f fill, execution string, at int64) object {
	s := o.symbol
	tradeID, price, qty := int64(-1), s.price(0), s.qty(0)
	if execution == "TRADE" {
		tradeID, price, qty = f.id, s.price(f.price), s.qty(f.qty)
	}
	if s.Market == binance.Spot {
		var asset any
		if f.asset != "" {
			asset = f.asset
		}
		return object{
			"e": "executionReport", "E": at, "s": s.Name, "c": o.client, "S": side(o.buy), "o": o.kind, "f": o.timeInForce(),
			"q": s.qty(o.qty), "p": s.price(o.price), "P": s.price(0), "F": s.qty(0), "g": -1, "C": "", "x": execution, "X": o.status,
			"r": "NONE", "i": o.id, "l": qty, "z": s.qty(o.filled), "L": price, "n": format(f.commission, moneyScale, 8), "N": asset,
			"T": at, "t": tradeID, "I": o.id, "w": o.open(), "m": f.maker, "M": execution == "TRADE", "O": o.created,
			"Z": s.worth(s.quote(max(1, o.average), o.filled)), "Y": s.worth(s.quote(max(1, f.price), f.qty)), "Q": s.price(0), "W": o.created, "V": "NONE",
		}
	}
	return object{
		"e": "ORDER_TRADE_UPDATE", "E": at, "T": at,
		"o": object{
			"s": s.Name, "c": o.client, "S": side(o.buy), "o": o.kind, "f": o.timeInForce(), "q": s.qty(o.qty), "p": s.price(o.price),
			"ap": s.price(o.average), "sp": s.price(0), "x": execution, "X": o.status, "i": o.id, "l": qty, "z": s.qty(o.filled), "L": price,
			"N": s.marginAsset(), "n": format(f.commission, moneyScale, 8), "T": at, "t": max(tradeID, 0), "m": f.maker, "R": o.reduce,
			"wt": "CONTRACT_PRICE", "ot": o.kind, "ps": "BOTH", "cp": false, "rp": format(f.realized, moneyScale, 8),
		},
	}
}

// event is a wallet after a fill as the user data stream tells it.
func (w *wallet) event(s *symbol, asset string, at int64) object {
	balance := func(asset string) string { return format(w.balances[asset], moneyScale, 8) }
	if s.Market == binance.Spot {
		return object{"e": "outboundAccountPosition", "E": at, "u": at, "B": []object{
			{"a": s.Base, "f": balance(s.Base), "l": "0.00000000"},
			{"a": s.Quote, "f": balance(s.Quote), "l": "0.00000000"},
		}}
	}
	p := w.positions[s]
	return object{"e": "ACCOUNT_UPDATE", "E": at, "T": at, "a": object{
		"m": "ORDER",
		"B": []object{{"a": asset, "wb": balance(asset), "cw": balance(asset), "bc": "0"}},
		"P": []object{{"s": s.Name, "pa": s.qty(p.qty), "ep": s.price(p.entry), "up": "0.00000000", "mt": "cross", "iw": "0", "ps": "BOTH"}},
	}}
}
