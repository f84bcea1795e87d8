package exchangesim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// routes are the endpoints with what they cost: spot by rest-api.md of 2026-07-21
// with CHANGELOG 2026-04-02, USDⓈ-M by the documents of 2026-05-28 and by what was
// measured on 2026-10-07 where that differs, COIN-M as USDⓈ-M, /sapi by the documents
// in binance-connector-js of 2026-07-24.
func routes() []route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	all := []route{
		{method: get, path: "/api/v3/ping", weight: fixed(1), serve: servePing},
		{method: get, path: "/api/v3/time", weight: fixed(1), serve: serveTime},
		{method: get, path: "/api/v3/exchangeInfo", weight: fixed(20), serve: serveInfo},
		{method: get, path: "/api/v3/depth", weight: byLimit(100, 5, 100, 25, 500, 50, 1000, 250), serve: serveDepth},
		{method: get, path: "/api/v3/trades", weight: fixed(25), serve: serveTrades},
		{method: get, path: "/api/v3/historicalTrades", weight: fixed(25), serve: serveTrades},
		{method: get, path: "/api/v3/aggTrades", weight: fixed(4), serve: serveAggTrades},
		{method: get, path: "/api/v3/klines", weight: fixed(2), serve: serveKlines},
		{method: get, path: "/api/v3/uiKlines", weight: fixed(2), serve: serveKlines},
		{method: get, path: "/api/v3/avgPrice", weight: fixed(2), serve: serveAvgPrice},
		{method: get, path: "/api/v3/ticker/24hr", weight: spotTickerWeight, serve: serveTicker},
		{method: get, path: "/api/v3/ticker/price", weight: bySymbol(2, 4), serve: servePrice},
		{method: get, path: "/api/v3/ticker/bookTicker", weight: bySymbol(2, 4), serve: serveBookTicker},
		{method: post, path: "/api/v3/order", security: signed, weight: fixed(1), free: true, orders: 1, ordersLong: 1, serve: serveNewOrder},
		{method: post, path: "/api/v3/order/test", security: signed, weight: fixed(1), serve: serveTestOrder},
		{method: del, path: "/api/v3/order", security: signed, weight: fixed(1), free: true, serve: serveCancel},
		{method: del, path: "/api/v3/openOrders", security: signed, weight: fixed(1), free: true, serve: serveCancelAll},
		{method: get, path: "/api/v3/order", security: signed, weight: fixed(4), serve: serveOrder},
		{method: get, path: "/api/v3/openOrders", security: signed, weight: bySymbol(6, 80), serve: serveOpenOrders},
		{method: get, path: "/api/v3/allOrders", security: signed, weight: fixed(20), serve: serveAllOrders},
		{method: get, path: "/api/v3/account", security: signed, weight: fixed(20), serve: serveSpotAccount},
		{method: get, path: "/api/v3/myTrades", security: signed, weight: myTradesWeight, serve: serveUserTrades},
		{method: get, path: "/api/v3/rateLimit/order", security: signed, weight: fixed(40), serve: serveOrderCounts},
		{method: get, path: "/sapi/v1/system/status", weight: fixed(1), serve: serveSystemStatus},
		{method: get, path: "/sapi/v1/account/status", security: signed, weight: fixed(1), serve: serveAccountStatus},
		{method: get, path: "/sapi/v1/capital/withdraw/history", security: signed, weight: fixed(18_000), uid: true, serve: serveWithdrawals},
	}
	for _, prefix := range []string{"/fapi/v1", "/dapi/v1"} {
		all = append(all,
			route{method: get, path: prefix + "/ping", weight: fixed(1), serve: servePing},
			route{method: get, path: prefix + "/time", weight: fixed(1), serve: serveTime},
			route{method: get, path: prefix + "/exchangeInfo", weight: fixed(1), serve: serveInfo},
			// Without a limit it costs 1 and returns 500; measured.
			route{method: get, path: prefix + "/depth", weight: unlimited(1, byLimit(500, 2, 50, 5, 100, 10, 500, 20)), serve: serveDepth},
			route{method: get, path: prefix + "/trades", weight: fixed(5), serve: serveTrades},
			route{method: get, path: prefix + "/historicalTrades", security: keyed, weight: fixed(20), serve: serveTrades},
			route{method: get, path: prefix + "/aggTrades", weight: fixed(20), serve: serveAggTrades},
			route{method: get, path: prefix + "/klines", weight: unlimited(5, byLimit(500, 1, 100, 2, 500, 5, 1000, 10)), serve: serveKlines},
			route{method: get, path: prefix + "/ticker/24hr", weight: bySymbol(1, 40), serve: serveTicker},
			route{method: get, path: prefix + "/ticker/price", weight: bySymbol(1, 2), serve: servePrice},
			route{method: get, path: prefix + "/ticker/bookTicker", weight: bySymbol(2, 5), serve: serveBookTicker},
			route{method: get, path: prefix + "/premiumIndex", weight: bySymbol(1, 10), serve: servePremiumIndex},
			route{method: get, path: prefix + "/fundingRate", weight: fixed(0), funding: true, serve: serveFundingRate},
			route{method: get, path: prefix + "/openInterest", weight: fixed(1), serve: serveOpenInterest},
			route{method: post, path: prefix + "/order", security: signed, weight: fixed(0), orders: 1, ordersLong: 1, serve: serveNewOrder},
			route{method: del, path: prefix + "/order", security: signed, weight: fixed(1), serve: serveCancel},
			route{method: del, path: prefix + "/allOpenOrders", security: signed, weight: fixed(1), serve: serveCancelAll},
			route{method: get, path: prefix + "/order", security: signed, weight: fixed(1), serve: serveOrder},
			route{method: get, path: prefix + "/openOrders", security: signed, weight: bySymbol(1, 40), serve: serveOpenOrders},
			route{method: get, path: prefix + "/allOrders", security: signed, weight: fixed(5), serve: serveAllOrders},
			route{method: get, path: prefix + "/userTrades", security: signed, weight: fixed(5), serve: serveUserTrades},
			route{method: get, path: prefix + "/income", security: signed, weight: fixed(30), serve: serveIncome},
			route{method: get, path: prefix + "/rateLimit/order", security: signed, weight: fixed(1), serve: serveOrderCounts},
			route{method: post, path: prefix + "/listenKey", security: keyed, weight: fixed(1), serve: serveListenKey},
			route{method: put, path: prefix + "/listenKey", security: keyed, weight: fixed(1), serve: serveListenKey},
			route{method: del, path: prefix + "/listenKey", security: keyed, weight: fixed(1), serve: serveEndListenKey},
		)
	}
	for _, path := range []string{"/fapi/v2", "/fapi/v3", "/dapi/v1"} {
		all = append(all,
			route{method: get, path: path + "/balance", security: signed, weight: fixed(5), serve: serveBalance},
			route{method: get, path: path + "/account", security: signed, weight: fixed(5), serve: serveFuturesAccount},
			route{method: get, path: path + "/positionRisk", security: signed, weight: fixed(5), serve: servePositions},
		)
	}
	for i := range all {
		all[i].market, _ = binance.MarketOf(all[i].path)
	}
	return all
}

func fixed(n int64) func(url.Values) int64 { return func(url.Values) int64 { return n } }

// byLimit is the weight of the first bound that holds the limit: weight, bound,
// weight, bound … and the weight of what is beyond the last.
func byLimit(absent int64, w ...int64) func(url.Values) int64 {
	return func(p url.Values) int64 {
		n, err := strconv.ParseInt(p.Get("limit"), 10, 64)
		if err != nil {
			n = absent
		}
		for i := 0; i+1 < len(w); i += 2 {
			if n <= w[i+1] {
				return w[i]
			}
		}
		return w[len(w)-1]
	}
}

// unlimited is the weight of a request without a limit.
func unlimited(weight int64, other func(url.Values) int64) func(url.Values) int64 {
	return func(p url.Values) int64 {
		if p.Get("limit") == "" {
			return weight
		}
		return other(p)
	}
}

func bySymbol(one, many int64) func(url.Values) int64 {
	return func(p url.Values) int64 {
		if p.Get("symbol") != "" {
			return one
		}
		return many
	}
}

func spotTickerWeight(p url.Values) int64 {
	n := strings.Count(p.Get("symbols"), `"`) / 2
	switch {
	case p.Get("symbol") != "" || n >= 1 && n <= 20:
		return 2
	case n > 20 && n <= 100:
		return 40
	}
	return 80
}

func myTradesWeight(p url.Values) int64 {
	if p.Get("orderId") != "" {
		return 5
	}
	return 20
}
