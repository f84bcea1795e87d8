package exchangesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// methods of the WebSocket API are requests of REST by another name; they cost the
// same and share its limits. API docs, web-socket-api.md, 2026-07.
func methods() map[string]string {
	return map[string]string{
		"ping": "GET ping", "time": "GET time", "exchangeInfo": "GET exchangeInfo", "depth": "GET depth",
		"trades.recent": "GET trades", "trades.historical": "GET historicalTrades", "trades.aggregate": "GET aggTrades",
		"klines": "GET klines", "ticker.24hr": "GET ticker/24hr", "ticker.price": "GET ticker/price", "ticker.book": "GET ticker/bookTicker",
		"order.place": "POST order", "order.test": "POST order/test", "order.cancel": "DELETE order", "order.status": "GET order",
		"openOrders.status": "GET openOrders", "openOrders.cancelAll": "DELETE openOrders", "allOrders": "GET allOrders",
		"account.status": "GET account", "myTrades": "GET myTrades", "account.rateLimits.orders": "GET rateLimit/order",
	}
}

// prefix of a market's REST paths.
func prefix(m binance.Market) string { return strings.TrimSuffix(m.TimePath(), "time") }

func (s *socket) handleAPI(m []byte) bool {
	var q struct {
		ID     any            `json:"id"`
		Method string         `json:"method"`
		Params map[string]any `json:"params"`
	}
	d := json.NewDecoder(bytes.NewReader(m))
	d.UseNumber() // The signature is of what was written.
	if err := d.Decode(&q); err != nil {
		return s.send(object{"id": nil, "status": 400, "error": object{"code": -1135, "msg": "Invalid JSON Request"}})
	}
	r := request{ip: s.ip, params: url.Values{}}
	var payload []string
	for _, name := range sortedKeys(q.Params) {
		value := text(q.Params[name])
		r.params.Set(name, value)
		if name != "signature" {
			payload = append(payload, name+"="+value)
		}
	}
	r.key, r.payload = r.params.Get("apiKey"), strings.Join(payload, "&")
	known := methods()[q.Method]
	subscribes := q.Method == "userDataStream.subscribe.signature" && s.market == binance.Spot
	if subscribes {
		known = "GET order" // It is signed, and needs nothing else.
	}
	if known == "" {
		return s.send(object{"id": q.ID, "status": 400, "error": object{"code": -1135, "msg": "Unknown method " + q.Method}})
	}
	verb, path, _ := strings.Cut(known, " ")
	r.method, r.path = verb, prefix(s.market)+path
	header := http.Header{}
	var result any
	var f *fail
	if subscribes {
		result, f = s.subscribeUser(r)
	} else {
		result, f = s.e.serve(r, header)
	}
	if f != nil && f.status == 0 {
		return false
	}
	out := object{"id": q.ID, "status": http.StatusOK, "result": result, "rateLimits": s.usage()}
	if f != nil {
		delete(out, "result")
		said := object{"code": f.code, "msg": f.msg}
		if f.retry > 0 {
			now := s.e.Now()
			said["data"] = object{"serverTime": now.UnixMilli(), "retryAfter": now.Add(f.retry).UnixMilli()}
		}
		out["status"], out["error"] = f.status, said
	}
	// A ban cuts the connections of the WebSocket API too.
	return s.send(out) && (f == nil || f.status != http.StatusTeapot)
}

// text is a parameter as it was written.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		b, _ := json.Marshal(v) // It was JSON.
		return string(b)
	}
	return fmt.Sprint(v)
}

// subscribeWeight is of userDataStream.subscribe.signature.
const subscribeWeight = 2

func (s *socket) subscribeUser(q request) (any, *fail) {
	e := s.e
	e.mu.Lock()
	now := e.now()
	a := e.address(s.ip, now)
	h := a.hosts[s.market]
	r := &route{market: s.market, path: "subscribe", security: signed}
	f := a.barred(h, now)
	if f == nil {
		f = e.charge(a, h, r, subscribeWeight, now)
	}
	e.mu.Unlock()
	if f != nil {
		return nil, f
	}
	c := &call{Exchange: e, market: s.market, at: now, params: q.params}
	if f := c.authorize(q, r); f != nil {
		return nil, f
	}
	s.watch(c.account)
	return object{"subscriptionId": 0}, nil
}

// usage is what the address has used, in the form of the WebSocket API.
func (s *socket) usage() []object {
	e := s.e
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	h := e.address(s.ip, now).hosts[s.market]
	var limits []binance.Limit
	for _, l := range h.weight {
		limits = append(limits, l.Limit)
	}
	rows := rateLimits(limits)
	for i, l := range h.weight {
		rows[i]["count"] = l.roll(now).used
	}
	return rows
}
