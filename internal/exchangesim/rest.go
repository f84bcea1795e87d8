package exchangesim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
)

// call is a request that is served.
type call struct {
	*Exchange
	market  binance.Market
	at      time.Time // By the exchange's clock.
	params  url.Values
	account *account
	// orders are the order counts that the answer tells.
	orders []*limited
	// filled is true for an order that filled at once.
	filled bool
	// weighed is the window of an endpoint of /sapi that counts by account.
	weighed *window
}

func (c *call) ms() int64 { return c.at.UnixMilli() }

// security says whose requests an endpoint takes.
type security int

const (
	public security = iota
	keyed           // An API key.
	signed          // A key and a signature.
)

// route is an endpoint.
type route struct {
	method, path string
	market       binance.Market
	security     security
	weight       func(p url.Values) int64
	// free is true if a success costs nothing.
	free    bool
	funding bool
	// uid counts by account, as some endpoints of /sapi do.
	uid bool
	// orders count against the account in its shortest window, ordersLong in others.
	orders, ordersLong int64
	serve              func(c *call) (any, *fail)
}

// maxBody bounds a form.
const maxBody = 64 << 10

// request is what both REST and the WebSocket API bring.
type request struct {
	ip, method, path string
	params           url.Values
	key              string
	// payload is what the signature is of.
	payload string
}

func (e *Exchange) serveREST(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	}
	q := request{ip: e.cfg.ClientIP(r), method: r.Method, path: r.URL.Path, key: r.Header.Get("X-MBX-APIKEY"), params: url.Values{}}
	q.payload = unsigned(r.URL.RawQuery) + unsigned(string(body))
	for _, text := range []string{r.URL.RawQuery, string(body)} {
		values, err := url.ParseQuery(text)
		if err != nil {
			continue // What cannot be read is missing.
		}
		for k, v := range values {
			q.params[k] = append(q.params[k], v...)
		}
	}
	if e.delay(r, q) != nil {
		return // The client is gone.
	}
	answer, f := e.serve(q, w.Header())
	if f != nil && f.status == 0 {
		panic(http.ErrAbortHandler) // The connection breaks; net/http expects this.
	}
	write(w, answer, f)
}

// unsigned is a query or a form without its signature.
func unsigned(text string) string {
	parts := strings.Split(text, "&")
	kept := parts[:0]
	for _, p := range parts {
		if !strings.HasPrefix(p, "signature=") {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "&")
}

func write(w http.ResponseWriter, answer any, f *fail) {
	status := http.StatusOK
	if f != nil {
		status = f.status
		answer = map[string]any{"code": f.code, "msg": f.msg}
		if f.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
		}
		if f.html {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>\n<head><title>403 Forbidden</title></head>\n<body>\n<center><h1>403 Forbidden</h1></center>\n</body>\n</html>\n")
			return
		}
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	// The client may be gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(answer)
}

// serve counts a request, and answers it if it may be. A fail without a status
// means that no answer comes.
func (e *Exchange) serve(q request, header http.Header) (answer any, f *fail) {
	m, ok := binance.MarketOf(q.path)
	if !ok {
		return nil, &fail{status: http.StatusNotFound, html: true}
	}
	r := e.routes[q.method+" "+q.path]
	if r == nil {
		r = &route{market: m, path: "unknown", weight: fixed(1), serve: func(*call) (any, *fail) {
			return nil, refuse(http.StatusNotFound, -5000, "Path %s, Method %s is invalid", q.path, q.method)
		}}
	}
	weight := r.weight(q.params)

	e.mu.Lock()
	now := e.now()
	e.counts.Requests++
	a := e.address(q.ip, now)
	h := a.hosts[m.Host()]
	header.Set("Date", now.UTC().Format(http.TimeFormat))
	if f = a.barred(h, now); f == nil {
		f = e.faulty(q, now)
	}
	if f == nil && injected(q) {
		a.blocked = now.Add(firewallBlock)
		f = &fail{status: http.StatusForbidden, html: true}
	}
	if f == nil {
		f = e.charge(a, h, r, weight, now)
	}
	if f != nil {
		e.countRefusal(f)
		usedHeaders(header, a, h, r, now)
		e.mu.Unlock()
		return nil, f
	}
	lost := e.losesAnswer(q, now)
	e.mu.Unlock()

	c := &call{Exchange: e, market: m, at: now, params: q.params}
	f = c.authorize(q, r)
	if f == nil && r.uid {
		f = c.countAccount(r, weight)
	}
	if f == nil && r.orders > 0 {
		f = c.countOrders(r)
	}
	if f == nil {
		answer, f = r.serve(c)
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	if f == nil && r.free {
		e.refund(h, m, weight, now)
	}
	if f != nil {
		e.countRefusal(f)
	}
	usedHeaders(header, a, h, r, now)
	if c.weighed != nil {
		header.Set("X-Sapi-Used-Uid-Weight-1m", strconv.FormatInt(c.weighed.roll(now).used, 10))
	}
	if f == nil {
		for _, l := range c.orders {
			header.Set("X-Mbx-Order-Count-"+binance.WindowName(l.length), strconv.FormatInt(l.roll(now).used, 10))
		}
		if c.filled {
			unfill(c.orders, now)
		}
	}
	if f == nil && lost {
		return nil, refuse(http.StatusGatewayTimeout, -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.")
	}
	return answer, f
}

func (e *Exchange) countRefusal(f *fail) {
	switch f.status {
	case http.StatusTooManyRequests:
		e.counts.Limited++
	case http.StatusTeapot:
		e.counts.Banned++
	}
}

// injected is true for what the firewall takes for an attack.
func injected(q request) bool {
	for _, values := range q.params {
		for _, v := range values {
			v = strings.ToLower(v)
			if strings.Contains(v, "union select") || strings.Contains(v, "<script") || strings.Contains(v, "' or ") {
				return true
			}
		}
	}
	return false
}
