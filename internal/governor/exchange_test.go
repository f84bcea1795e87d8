package governor

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// exchange counts as the documents say, with prices of its own, and punishes who
// goes over the limit. It stands in the place of the network.
type exchange struct {
	limit  int64
	skew   time.Duration // Its clock less ours.
	prices map[string]int64
	// latency is the most that one way takes.
	latency time.Duration

	mu      sync.Mutex
	random  *rand.Rand
	minute  int64
	used    int64
	total   int64 // Of ours, in the minutes that are counted.
	foreign int64
	limited int // Answers 429, banned answers 418.
	banned  int
	strikes int
	until   time.Time
	byPath  map[string]int
	arrived []time.Time // Of orders.
}

func newExchange() *exchange {
	return &exchange{
		limit: 6000, latency: 40 * time.Millisecond, random: rand.New(rand.NewPCG(1, 2)), byPath: make(map[string]int),
		prices: map[string]int64{
			"GET /api/v3/time": 1, "GET /api/v3/exchangeInfo": 20, "GET /api/v3/klines": 2, "GET /api/v3/aggTrades": 4,
			"GET /api/v3/trades": 25, "GET /api/v3/account": 20, "POST /api/v3/order": 0, "DELETE /api/v3/order": 0, "GET /api/v3/depth": 5,
		},
	}
}

func (e *exchange) now() time.Time { return time.Now().Add(e.skew) }

func (e *exchange) way() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.latency == 0 {
		return 0
	}
	return time.Millisecond + time.Duration(e.random.Int64N(int64(e.latency)))
}

// RoundTrip implements http.RoundTripper, with the time that the ways take.
func (e *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(e.way())
	resp := e.answer(r.Method, r.URL.Opaque+r.URL.Path)
	time.Sleep(e.way())
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return resp, nil
}

// roll begins the minute of the exchange's clock.
func (e *exchange) roll() {
	if minute := e.now().Unix() / 60; minute != e.minute {
		e.minute, e.used = minute, 0
	}
}

// other is a request of somebody else on the address.
func (e *exchange) other(weight int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.roll()
	e.used += weight
	e.foreign += weight
}

func (e *exchange) answer(method, path string) *http.Response {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.roll()
	h := http.Header{"Date": {now.UTC().Format(http.TimeFormat)}, "Content-Type": {"application/json"}}
	reply := func(status int, body string) *http.Response {
		h.Set("X-MBX-USED-WEIGHT-1M", fmt.Sprint(e.used))
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	}
	if now.Before(e.until) {
		e.banned++
		h.Set("Retry-After", fmt.Sprint(int(e.until.Sub(now)/time.Second)+1))
		return reply(http.StatusTeapot, `{"code":-1003,"msg":"Way too much request weight used; IP banned."}`)
	}
	cost := e.prices[method+" "+path]
	if e.used+max(cost, 1) > e.limit {
		e.limited++
		e.strikes++
		if e.strikes > 5 {
			e.until = now.Add(2 * time.Minute)
		}
		h.Set("Retry-After", fmt.Sprint(60-now.Unix()%60))
		return reply(http.StatusTooManyRequests, `{"code":-1003,"msg":"Too much request weight used."}`)
	}
	e.used += cost
	e.total += cost
	e.byPath[method+" "+path]++
	if path == "/api/v3/order" {
		e.arrived = append(e.arrived, time.Now())
	}
	switch path {
	case "/api/v3/time":
		return reply(http.StatusOK, fmt.Sprintf(`{"serverTime":%d}`, now.UnixMilli()))
	case "/api/v3/exchangeInfo":
		return reply(http.StatusOK, fmt.Sprintf(`{"timezone":"UTC","rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":%d}],"symbols":[]}`, e.limit))
	}
	return reply(http.StatusOK, "{}")
}

func readAll(r *http.Response) string {
	var b bytes.Buffer
	_, _ = io.Copy(&b, r.Body)
	r.Body.Close()
	return b.String()
}
