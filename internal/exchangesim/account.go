package exchangesim

import (
	"net/http"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// moneyScale is the decimals of balances.
const moneyScale = 8

// kept is how much of each of an account's lists is remembered.
const kept = 50_000

// account is somebody who trades: in each market a wallet of its own.
type account struct {
	Account
	// counts are the unfilled orders; the lock of Exchange guards them.
	counts map[binance.Market][]*limited
	// sapi are the endpoints of /sapi that count by account; the same lock.
	sapi map[string]*window

	mu      sync.Mutex
	wallets map[binance.Market]*wallet
	events  []userEvent // In the order of their numbers.
	nextEvent,
	nextOrder, nextTran int64
}

// wallet is what an account has in a market.
type wallet struct {
	balances  map[string]int64
	positions map[*symbol]*position
	orders    []*order
	fills     []fill
	incomes   []income
	lastFill  map[*symbol]int64
	// checked is until when open orders were compared with the trades.
	checked int64
	listen  string
	listens time.Time // Until when the listen key lives.
}

// position is of futures.
type position struct {
	qty   int64 // Negative for a short one.
	entry int64 // The average price.
}

// fill is a trade of an account.
type fill struct {
	trade
	symbol     *symbol
	order      int64
	buyer      bool
	maker      bool
	commission int64
	asset      string
	realized   int64
}

// income is a change of a futures wallet.
type income struct {
	symbol *symbol
	kind   string
	amount int64
	at     int64
	id     int64
	trade  int64 // 0 if there is none.
}

// userEvent is sent on the user data stream.
type userEvent struct {
	number int64
	market binance.Market
	body   object
}

func (e *Exchange) newAccount(a Account) *account {
	if a.Key == "" {
		a.Key = madeKey(e.cfg.Seed, "key of "+a.Name)
	}
	if a.Secret == "" {
		a.Secret = madeKey(e.cfg.Seed, "secret of "+a.Name)
	}
	made := &account{Account: a, sapi: make(map[string]*window), counts: make(map[binance.Market][]*limited), wallets: make(map[binance.Market]*wallet), nextOrder: 1_000_000, nextTran: 9_000_000}
	for m, limits := range e.cfg.Limits {
		made.counts[m] = newLimited(limits, binance.Orders)
		w := &wallet{balances: make(map[string]int64), positions: make(map[*symbol]*position), lastFill: make(map[*symbol]int64)}
		for _, s := range e.listed[m] {
			w.balances[s.Base], w.balances[s.Quote] = 1000*pow10(moneyScale), 1_000_000*pow10(moneyScale)
		}
		made.wallets[m] = w
	}
	return made
}

// bounded drops the older half of a list that has grown too long.
func bounded[T any](list []T) []T {
	if len(list) < kept {
		return list
	}
	return append(list[:0:0], list[len(list)/2:]...)
}

func (a *account) emit(m binance.Market, body object) {
	a.events = append(bounded(a.events), userEvent{number: a.nextEvent, market: m, body: body})
	a.nextEvent++
}

// eventsFrom are the events of a market from a number on, and the next number.
func (a *account) eventsFrom(number int64, m binance.Market) ([]object, int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []object
	for i := len(a.events) - 1; i >= 0 && a.events[i].number >= number; i-- {
		if a.events[i].market == m {
			all = append(all, a.events[i].body)
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all, a.nextEvent
}

// unfill takes an order that filled from the unfilled ones; it is called with the
// lock of Exchange held.
func unfill(counts []*limited, now time.Time) {
	for _, l := range counts {
		l.roll(now).used -= min(l.used, 1)
	}
}

// settle fills open orders whose price was traded, and books funding.
func (e *Exchange) settle(a *account, m binance.Market, now time.Time) {
	a.mu.Lock()
	w := a.wallets[m]
	from, to := w.checked, now.UnixMilli()
	w.checked = to
	filled := 0
	if from > 0 && from < to {
		const longest = 60 * minute
		for _, o := range w.orders {
			if !o.open() {
				continue
			}
			b := o.symbol.sum(max(from, o.created, to-longest), to)
			if b.Trades > 0 && (o.buy && b.L <= o.price || !o.buy && b.H >= o.price) {
				e.fill(a, o, o.price, true, to)
				filled++
			}
		}
		if m != binance.Spot {
			a.fund(w, from, to)
		}
	}
	a.mu.Unlock()
	if m != binance.Spot || filled == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for range filled {
		unfill(a.counts[m], now)
	}
}

// fund books the fundings between two times.
func (a *account) fund(w *wallet, from, to int64) {
	for at := from - from%fundingEvery + fundingEvery; at <= to; at += fundingEvery {
		for s, p := range w.positions {
			if p.qty == 0 {
				continue
			}
			paid := -rescale(s.quote(s.tape.priceAt(s.tape.logical(at)), p.qty), s.quoteScale(), moneyScale) / pow10(8-4) * s.fundingRate(at) / pow10(4)
			a.earn(w, income{symbol: s, kind: "FUNDING_FEE", amount: paid, at: at})
		}
	}
}

// earn books an income.
func (a *account) earn(w *wallet, i income) {
	i.id = a.nextTran
	a.nextTran++
	w.balances[i.symbol.marginAsset()] += i.amount
	w.incomes = append(bounded(w.incomes), i)
}

// use settles the account of a call and returns its wallet, locked.
func (c *call) use() (w *wallet, unlock func()) {
	c.settle(c.account, c.market, c.at)
	c.account.mu.Lock()
	return c.account.wallets[c.market], c.account.mu.Unlock
}

func serveOrderCounts(c *call) (any, *fail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var limits []binance.Limit
	for _, l := range c.account.counts[c.market] {
		limits = append(limits, l.Limit)
	}
	rows := rateLimits(limits)
	if c.market == binance.Spot {
		for i, l := range c.account.counts[c.market] {
			rows[i]["count"] = l.roll(c.at).used
		}
	}
	return rows, nil
}

func serveSpotAccount(c *call) (any, *fail) {
	w, unlock := c.use()
	defer unlock()
	balances := []object{}
	for _, asset := range sortedKeys(w.balances) {
		balances = append(balances, object{"asset": asset, "free": format(w.balances[asset], moneyScale, 8), "locked": "0.00000000"})
	}
	return object{
		"makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
		"commissionRates": object{"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000", "seller": "0.00000000"},
		"canTrade":        true, "canWithdraw": true, "canDeposit": true, "brokered": false, "requireSelfTradePrevention": false, "preventSor": false,
		"updateTime": c.ms(), "accountType": "SPOT", "balances": balances, "permissions": []string{"SPOT"}, "uid": 354937868,
	}, nil
}

func serveBalance(c *call) (any, *fail) {
	w, unlock := c.use()
	defer unlock()
	return c.balances(w), nil
}

func (c *call) balances(w *wallet) []object {
	rows := []object{}
	for _, asset := range c.marginAssets() {
		balance := format(w.balances[asset], moneyScale, 8)
		rows = append(rows, object{
			"accountAlias": "SgsR", "asset": asset, "balance": balance, "crossWalletBalance": balance, "crossUnPnl": "0.00000000",
			"availableBalance": balance, "maxWithdrawAmount": balance, "marginAvailable": true, "updateTime": c.ms(),
		})
	}
	return rows
}

func (c *call) marginAssets() []string {
	found := make(map[string]bool)
	for _, s := range c.listed[c.market] {
		found[s.marginAsset()] = true
	}
	return sortedKeys(found)
}

func serveFuturesAccount(c *call) (any, *fail) {
	w, unlock := c.use()
	defer unlock()
	assets := []object{}
	for _, b := range c.balances(w) {
		assets = append(assets, object{
			"asset": b["asset"], "walletBalance": b["balance"], "unrealizedProfit": "0.00000000", "marginBalance": b["balance"],
			"availableBalance": b["availableBalance"], "crossWalletBalance": b["balance"], "crossUnPnl": "0.00000000", "updateTime": c.ms(),
		})
	}
	return object{"assets": assets, "positions": c.positions(w), "canTrade": true}, nil
}

func servePositions(c *call) (any, *fail) {
	w, unlock := c.use()
	defer unlock()
	return c.positions(w), nil
}

func (c *call) positions(w *wallet) []object {
	rows := []object{}
	for _, s := range c.listed[c.market] {
		p := w.positions[s]
		if p == nil || p.qty == 0 || c.params.Get("symbol") != "" && c.params.Get("symbol") != s.Name {
			continue
		}
		rows = append(rows, object{
			"symbol": s.Name, "positionSide": "BOTH", "positionAmt": s.qty(p.qty), "entryPrice": s.price(p.entry), "markPrice": s.mark(c.ms()),
			"unRealizedProfit": format(rescale(s.gain(p.entry, s.last(c.ms()).price, p.qty), s.quoteScale(), moneyScale), moneyScale, 8),
			"updateTime":       c.ms(),
		})
	}
	return rows
}

func serveIncome(c *call) (any, *fail) {
	p, f := c.page("", 100, 1000)
	if f != nil {
		return nil, f
	}
	if !p.hasFrom {
		p.from = c.ms() - 7*day
	}
	w, unlock := c.use()
	defer unlock()
	rows := []object{}
	for _, i := range w.incomes {
		if i.at < p.from || i.at > p.to || int64(len(rows)) == p.limit {
			continue
		}
		if name := c.params.Get("symbol"); name != "" && name != i.symbol.Name {
			continue
		}
		if kind := c.params.Get("incomeType"); kind != "" && kind != i.kind {
			continue
		}
		tradeID := ""
		if i.trade != 0 {
			tradeID = format(i.trade, 0, 0)
		}
		rows = append(rows, object{
			"symbol": i.symbol.Name, "incomeType": i.kind, "income": format(i.amount, moneyScale, 8), "asset": i.symbol.marginAsset(),
			"info": tradeID, "time": i.at, "tranId": i.id, "tradeId": tradeID,
		})
	}
	return rows, nil
}

func serveUserTrades(c *call) (any, *fail) {
	s, f := c.one()
	if f != nil {
		return nil, f
	}
	p, f := c.page("fromId", 500, 1000)
	if f != nil {
		return nil, f
	}
	orderID, f := c.integer("orderId", -1)
	if f != nil {
		return nil, f
	}
	w, unlock := c.use()
	defer unlock()
	var found []fill
	for _, one := range w.fills {
		if one.symbol == s && one.at >= p.from && one.at <= p.to && one.id >= p.id && (orderID < 0 || one.order == orderID) {
			found = append(found, one)
		}
	}
	// Without a place to begin, the newest are asked for.
	if over := len(found) - int(p.limit); over > 0 {
		if p.hasFrom || p.hasID {
			found = found[:p.limit]
		} else {
			found = found[over:]
		}
	}
	rows := []object{}
	for _, one := range found {
		rows = append(rows, one.row())
	}
	return rows, nil
}

func (f fill) row() object {
	s := f.symbol
	o := object{
		"symbol": s.Name, "id": f.id, "orderId": f.order, "price": s.price(f.price), "qty": s.qty(f.qty), "time": f.at,
		"commission": format(f.commission, moneyScale, 8), "commissionAsset": f.asset,
	}
	worth := s.worth(s.quote(f.price, f.qty))
	if s.Market == binance.Spot {
		o["orderListId"], o["quoteQty"] = -1, worth
		o["isBuyer"], o["isMaker"], o["isBestMatch"] = f.buyer, f.maker, true
		return o
	}
	o["buyer"], o["maker"], o["side"], o["positionSide"] = f.buyer, f.maker, side(f.buyer), "BOTH"
	o["realizedPnl"] = format(f.realized, moneyScale, 8)
	if s.Market == binance.COINM {
		o["baseQty"], o["pair"], o["marginAsset"] = worth, s.pair(), s.marginAsset()
		return o
	}
	o["quoteQty"] = worth
	return o
}

func side(buy bool) string {
	if buy {
		return "BUY"
	}
	return "SELL"
}

// listenLife is how long a listen key lives; API docs, USDⓈ-M, 2026-05.
const listenLife = time.Hour

func serveListenKey(c *call) (any, *fail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.account.wallets[c.market]
	if w.listen == "" || c.at.After(w.listens) {
		delete(c.Exchange.listen, w.listen)
		w.listen = madeKey(c.cfg.Seed^uint64(c.ms()), "listen key of "+c.account.Name+string(c.market))
		c.Exchange.listen[w.listen] = c.account
	}
	w.listens = c.at.Add(listenLife)
	return object{"listenKey": w.listen}, nil
}

func serveEndListenKey(c *call) (any, *fail) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.account.wallets[c.market]
	if w.listen == "" {
		return nil, refuse(http.StatusBadRequest, -1125, "This listenKey does not exist.")
	}
	delete(c.Exchange.listen, w.listen)
	w.listen = ""
	return object{}, nil
}
