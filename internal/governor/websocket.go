package governor

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/http1"
)

// isUpgrade is true for a request for a WebSocket.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// webSocket passes a connection to the exchange's WebSocket API through. Opening it
// is limited like a request; what goes through it is counted and never held.
func (h *handler) webSocket(w http.ResponseWriter, r *http.Request, client string) {
	path, query := target(r)
	m, ok := binance.MarketOfWebSocket(path)
	header := passed(http1.HeaderOf(r.Header))
	c := &call{method: http.MethodGet, path: path, query: query, header: header, client: client, market: m, class: account, endpoint: "websocket"}
	g := h.g
	if !ok {
		h.refuse(netWriter{w}, c, &problem{status: http.StatusNotFound, outcome: outcomeInvalid, text: "no WebSocket API has this path; the governor serves /ws-api/v3, /ws-fapi/v1 and /ws-dapi/v1"})
		return
	}
	s, resp, err := g.openSocket(r.Context(), c)
	if err != nil {
		h.refuse(netWriter{w}, c, g.problem(err))
		return
	}
	if s == nil {
		defer resp.Body.Close()
		g.metrics.served(c, outcomeSent)
		h.write(netWriter{w}, http1.ResponseOf(resp))
		return
	}
	defer s.upstream.Close()
	g.metrics.served(c, outcomeSent)
	s.serve(w, resp)
}

// openSocket asks the exchange for a connection. The socket is nil if it refused,
// which the response then says.
func (g *Governor) openSocket(ctx context.Context, c *call) (*socket, *http.Response, error) {
	limits := binance.DefaultLimits(c.market)
	attempts := g.gate(gateConfig{market: c.market, weight: limits[len(limits)-1], endpoint: "connections"})
	attempt, err := attempts.acquire(ctx, ask{client: c.client, class: c.class, weight: 1})
	if err != nil {
		if r, ok := err.(*refusal); ok {
			return nil, nil, problemOf(r)
		}
		return nil, nil, err
	}
	weights := g.market(c.market)
	connect := weights.charge(attempt.lane.egress.name, binance.WebSocketConnect, c.class)
	base := g.setup.Load().sockets[c.market]
	r := c.request(base).WithContext(ctx)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	// Compressed frames could not be counted.
	r.Header.Del("Sec-Websocket-Extensions")
	resp, err := attempt.lane.egress.sockets.RoundTrip(r)
	now := time.Now()
	attempt.settle(settlement{at: now, cost: 1, header: -1})
	if err != nil {
		return nil, nil, g.failed(c, connect, err, now)
	}
	connect.settle(settlement{at: now, cost: binance.WebSocketConnect, header: -1})
	upstream, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode == http.StatusSwitchingProtocols && ok {
		s := &socket{g: g, call: c, gate: weights, egress: attempt.lane.egress.name, upstream: upstream, pending: make(map[string]pendingCall)}
		return s, resp, nil
	}
	if resp.StatusCode >= 400 {
		refused := http1.ResponseOf(resp)
		v := binance.Judge(refused.Status, refused.Header, peek(refused), weights.clock.now(now))
		g.metrics.answered(c.market, refused.Status)
		g.refused(c, weights, connect.lane, v, now)
		resp.Body = refused.Body
	}
	return nil, resp, nil
}

// charge takes weight of an address without asking whether there is any left.
func (g *gate) charge(egress string, weight int64, c class) *lease {
	now := time.Now()
	l := g.lane(egress)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reserve(l, ask{class: c, weight: weight}, now, g.clock.now(now))
}

// socket is one connection to the WebSocket API.
type socket struct {
	g        *Governor
	call     *call
	gate     *gate
	egress   string
	upstream io.ReadWriteCloser

	mu        sync.Mutex
	pending   map[string]pendingCall
	count     int64 // of the requests so far
	lastAsked time.Time
}

// pendingCall is a request over a socket that has no answer yet.
type pendingCall struct {
	lease *lease
	call  *call
}

// maxPending bounds the requests of one socket that are told apart.
const maxPending = 1000

// serve passes frames both ways until one side closes.
func (s *socket) serve(w http.ResponseWriter, resp *http.Response) {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		s.g.metrics.served(s.call, outcomeInvalid)
		w.WriteHeader(http.StatusHTTPVersionNotSupported) // HTTP/2 has no such thing here.
		return
	}
	client, buffered, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	// The server's own deadlines no longer apply.
	if err := client.SetDeadline(time.Time{}); err != nil {
		return
	}
	head := &http.Response{StatusCode: resp.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: resp.Header}
	if err := head.Write(client); err != nil {
		return
	}
	s.g.metrics.sockets.WithLabelValues(string(s.call.market)).Inc()
	defer s.g.metrics.sockets.WithLabelValues(string(s.call.market)).Dec()
	release := s.g.listener.track(client, s.upstream)
	defer release()
	defer s.g.sockets.add(s)()
	defer s.abandon()
	var down sync.WaitGroup
	down.Go(func() {
		defer client.Close()
		copyFrames(client, s.upstream, &frames{message: s.answered})
	})
	copyFrames(s.upstream, buffered, &frames{message: s.asked})
	s.upstream.Close()
	down.Wait()
}

// copyFrames copies bytes as they are, and lets f see them.
func copyFrames(to io.Writer, from io.Reader, f *frames) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			f.see(buffer[:n])
			if c, ok := to.(net.Conn); ok {
				// It fails with the write after it.
				_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// asked charges a request of the client.
func (s *socket) asked(text []byte) {
	var said struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	if json.Unmarshal(text, &said) != nil || said.Method == "" {
		return
	}
	c := s.price(said.Method)
	l := s.gate.charge(s.egress, c.cost.Weight, c.class)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	s.lastAsked = time.Now()
	if old, ok := s.pending[string(said.ID)]; ok || len(s.pending) >= maxPending {
		if !ok {
			old = pendingCall{l, c}
		}
		old.lease.settle(settlement{at: time.Now(), lost: true, header: -1})
		if !ok {
			return
		}
	}
	s.pending[string(said.ID)] = pendingCall{l, c}
}

// price is the cost and the class of a method. The table has few of them: what
// concerns orders costs what it does over REST.
func (s *socket) price(method string) *call {
	c := &call{client: s.call.client, market: s.call.market, class: account, account: s.call.account, endpoint: "websocket"}
	c.cost = s.g.setup.Load().table.Cost("WS", method, "")
	kind, verb, _ := strings.Cut(method, ".")
	switch {
	case strings.Contains(kind, "rder") && strings.Contains(verb, "cancel") && !strings.Contains(verb, "eplace"):
		c.class, c.cost = cancels, binance.Cost{Weight: 1}
	case strings.Contains(kind, "rder") && verb != "status" && verb != "test":
		c.class, c.cost = orders, binance.Cost{Weight: 1, Orders: 1, OrdersLong: 1}
	case c.cost.Endpoint != nil:
		c.endpoint = "websocket " + method
		if c.cost.Endpoint.Public {
			c.class = market
		}
	}
	return c
}

// answered settles a request by what the exchange says of its limits.
func (s *socket) answered(text []byte) {
	var said struct {
		ID         json.RawMessage `json:"id"`
		Status     int             `json:"status"`
		RateLimits []struct {
			RateLimitType binance.LimitType
			Interval      string
			IntervalNum   int64
			Count         int64
		} `json:"rateLimits"`
	}
	if json.Unmarshal(text, &said) != nil || said.Status == 0 {
		return
	}
	s.mu.Lock()
	p, ok := s.pending[string(said.ID)]
	delete(s.pending, string(said.ID))
	s.mu.Unlock()
	if !ok {
		return
	}
	var header http1.Header
	for _, l := range said.RateLimits {
		limit := binance.Limit{Type: l.RateLimitType, Window: binance.Interval(l.Interval, l.IntervalNum)}
		if name := limit.Header(); name != "" {
			header = append(header, http1.Field{Name: name, Value: strconv.FormatInt(l.Count, 10)})
		}
	}
	now := time.Now()
	v := binance.Judge(said.Status, header, text[:min(len(text), binance.MaxErrorBytes)], s.gate.clock.now(now))
	s.g.settle(p.call, p.lease, &http1.Response{Status: said.Status, Header: header}, v, now)
}

// abandon settles what will have no answer.
func (s *socket) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.pending {
		p.lease.settle(settlement{at: time.Now(), lost: true, header: -1})
		delete(s.pending, id)
	}
}
