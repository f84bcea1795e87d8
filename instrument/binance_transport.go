package instrument

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Transport returns the way to the exchange for one account, by a name that is not
// its key; "" is for public data. Requests whose path is none of the exchange's
// pass unmeasured.
func (b *Binance) Transport(account string) http.RoundTripper {
	return &binanceTransport{b: b, account: account}
}

type binanceTransport struct {
	b       *Binance
	account string
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach both ways.
func (t *binanceTransport) CloseIdleConnections() {
	closeIdle(t.b.next)
	if t.b.governor != nil {
		t.b.governor.transport.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t *binanceTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	name, ok := marketOf(r.URL.Path)
	if !ok {
		return t.b.next.RoundTrip(r)
	}
	m := t.b.market(name)
	rank := rank(r)
	start := t.b.clock.now()
	resp, err, local := t.b.send(r, m, rank)
	if local {
		return resp, err
	}
	end := t.b.clock.now()
	m.took[rank].Observe((end - start).Seconds())
	switch {
	case err == nil:
		t.b.observe(m, t.account, resp, r.Method == http.MethodGet, t.b.clock.at(end))
	case errors.Is(err, context.Canceled):
		m.responses[codeCanceled].Inc()
	default:
		m.responses[codeError].Inc()
	}
	return resp, err
}

// send takes the governor's way or the direct one. The last result says that the
// answer is our own: the request went nowhere.
func (b *Binance) send(r *http.Request, m *binanceMarket, rank int) (*http.Response, error, bool) {
	g := b.governor
	if g == nil {
		resp, err := b.next.RoundTrip(r)
		return resp, err, false
	}
	direct := r
	if g.worthTrying(urgent(rank), time.Now()) {
		kept, err := replayable(r)
		if err != nil {
			return nil, err, true
		}
		resp, err := g.roundTrip(kept, rank)
		if !errors.Is(err, errUnsent) {
			return resp, err, false
		}
		if kept.GetBody != nil {
			direct = kept.WithContext(kept.Context())
			if direct.Body, err = kept.GetBody(); err != nil {
				return nil, err, true
			}
		}
	}
	return b.sendDirect(direct, m, rank)
}

func (b *Binance) sendDirect(r *http.Request, m *binanceMarket, rank int) (*http.Response, error, bool) {
	g := b.governor
	weight, ok := g.weights[r.Method+" "+r.URL.Path]
	if !ok && !urgent(rank) {
		weight = unlistedWeight
	}
	priority := string(priorities()[rank])
	if status, wait := m.refusal(weight, urgent(rank), time.Now()); status != 0 {
		g.direct.WithLabelValues(string(m.name), priority, "refused").Inc()
		return refuse(r, status, wait), nil, true
	}
	g.direct.WithLabelValues(string(m.name), priority, "sent").Inc()
	out := r.WithContext(r.Context())
	if r.URL.Host == g.base.Host {
		out.URL, out.Host = withBase(r.URL, m.base), ""
	}
	out.Header = r.Header.Clone()
	out.Header.Del(clientHeader)
	out.Header.Del(priorityHeader)
	resp, err := b.next.RoundTrip(out)
	return resp, err, false
}

// A BinanceAnswer is what a service saw of a request that went by another way than
// a Transport: a client of another kind, or the WebSocket API.
type BinanceAnswer struct {
	Market  Market
	Account string
	Status  int
	// Header has its names in the form of net/http, as http.Header.Set makes them.
	Header http.Header
}

// Observe counts an answer as a Transport does, but for its latency.
func (b *Binance) Observe(a BinanceAnswer) {
	if m := b.market(a.Market); m != nil {
		b.observe(m, a.Account, &http.Response{StatusCode: a.Status, Header: a.Header, Body: http.NoBody}, false, time.Now())
	}
}

// observe reads an answer. Order counts come with what changes an order only, and
// are not looked for elsewhere.
func (b *Binance) observe(m *binanceMarket, account string, resp *http.Response, reading bool, now time.Time) {
	if _, ok := resp.Header[outcomeHeader]; ok {
		m.responses[codeGovernor].Inc()
		return
	}
	m.responses[codeIndex(resp.StatusCode)].Inc()
	server, another := b.server.unix(resp.Header, now)
	if another {
		// To look through all headers takes longer than the rest, so that limits
		// which the docs do not have are found once a second.
		b.learn(resp.Header)
		reading = false
	}
	for _, h := range *b.headers.Load() {
		if h.orders && reading {
			continue
		}
		values := resp.Header[h.name]
		if len(values) != 1 {
			continue
		}
		used, ok := parseCount(values[0])
		switch {
		case !ok:
		case h.orders:
			b.account(m.name, account).observe(h.window, used, server, now)
		default:
			m.weight.observe(h.window, used, server, now)
		}
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusTeapot, http.StatusForbidden:
		m.refused(resp, time.Now())
	}
}

// maxHeaders bounds what is looked up in each answer.
const maxHeaders = 2 * maxWindows

// learn adds the headers of limits that are not known yet.
func (b *Binance) learn(header http.Header) {
	for name := range header {
		h, ok := parseLimitHeader(name)
		if !ok {
			continue
		}
		b.mu.Lock()
		known := *b.headers.Load()
		if !slices.Contains(known, h) && len(known) < maxHeaders {
			grown := append(known[:len(known):len(known)], h)
			b.headers.Store(&grown)
		}
		b.mu.Unlock()
	}
}

// What the exchange does if it does not say for how long; API docs, 2026-07.
const (
	shortestBan = 2 * time.Minute
	firewallBan = 5 * time.Minute
)

// refused notes how long the exchange refuses this address.
func (m *binanceMarket) refused(resp *http.Response, now time.Time) {
	wait := retryAfter(resp.Header)
	body := peek(resp)
	switch resp.StatusCode {
	case http.StatusTeapot:
		until := now.Add(shortestBan)
		if wait > 0 {
			until = now.Add(wait)
		} else if said, ok := bannedUntil(body, now); ok {
			until = said
		}
		m.banned.extend(until)
	case http.StatusForbidden:
		if wait == 0 {
			wait = firewallBan
		}
		m.banned.extend(now.Add(wait))
	case http.StatusTooManyRequests:
		if tooManyOrders(body) {
			return // It is the account that must wait, and only with new orders.
		}
		if wait == 0 {
			wait = now.Truncate(time.Minute).Add(time.Minute).Sub(now)
		}
		m.backoff.extend(now.Add(wait))
	}
}

// peek reads the beginning of an error's body and leaves the body whole.
func peek(resp *http.Response) string {
	if resp.Body == nil {
		return ""
	}
	start, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	rest := resp.Body
	var broken io.Reader = rest
	if err != nil {
		broken = failedReader{err} // Whoever reads on gets the error that we got.
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(string(start)), broken), rest}
	return string(start)
}

type failedReader struct{ err error }

func (f failedReader) Read([]byte) (int, error) { return 0, f.err }
