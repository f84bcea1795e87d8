package governor

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/http1"
)

// answer is what came back, and how.
type answer struct {
	*http1.Response
	outcome string
	// upstream is the time that the exchange took, waited that in the queue.
	upstream, waited time.Duration
}

// send gets the right to send a call and sends it. The error is a *problem, or that
// of ctx.
func (g *Governor) send(ctx context.Context, c *call) (*answer, error) {
	at := g.gateOf(c)
	if c.class == orders {
		if wait := g.orders[c.market.Host()].stoppedFor(c.account, time.Now()); wait > 0 {
			return nil, &problem{
				status: http.StatusTooManyRequests, outcome: outcomeLimited, code: -1015, retry: wait,
				text: "Not sent: the exchange has refused further orders of this account",
			}
		}
	}
	l, err := at.acquire(ctx, c.ask())
	if err != nil {
		var r *refusal
		if errors.As(err, &r) {
			return nil, problemOf(r)
		}
		return nil, err
	}
	g.metrics.waited(c, l.waited)
	return g.exchange(ctx, c, l)
}

// exchange sends a call with its lease and settles that.
func (g *Governor) exchange(ctx context.Context, c *call, l *lease) (*answer, error) {
	base := g.setup.Load().bases[c.market]
	sent := time.Now()
	resp, err := l.lane.egress.send(ctx, c, base)
	received := time.Now()
	if err != nil {
		return nil, g.failed(c, l, err, received)
	}
	a := &answer{Response: resp, outcome: outcomeSent, upstream: received.Sub(sent), waited: l.waited}
	v := binance.Verdict{Kind: binance.Accepted}
	if resp.Status >= 400 {
		v = binance.Judge(resp.Status, resp.Header, peek(resp), l.gate.clock.now(received))
	}
	g.settle(c, l, resp, v, received)
	return a, nil
}

// failed settles a request without an answer, and says what its client may believe.
func (g *Governor) failed(c *call, l *lease, err error, now time.Time) error {
	g.metrics.unanswered(c.market)
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		l.cancel()
		return &problem{status: http.StatusServiceUnavailable, outcome: outcomeUnreachable, code: -1001, text: "Not sent: the exchange cannot be reached", retry: time.Second}
	}
	l.settle(settlement{at: now, lost: true, header: -1})
	if errors.Is(err, context.Canceled) {
		return err
	}
	status := http.StatusBadGateway
	if t := net.Error(nil); errors.As(err, &t) && t.Timeout() {
		status = http.StatusGatewayTimeout
	}
	text := "No answer: the exchange broke off"
	if c.class.urgent() {
		text += "; the execution status is unknown: query the order before you send it again"
	}
	return &problem{status: status, outcome: outcomeBroken, code: -1006, text: text}
}

// maxUsed bounds the counts that are read from one answer; the exchange sends up to
// four.
const maxUsed = 8

// usedBy appends to used what the head of an answer says.
func usedBy(h http1.Header, used []binance.Used) []binance.Used {
	for i := range h {
		if u, ok := binance.ReadUsed(h[i].Name, h[i].Value); ok && len(used) < maxUsed {
			used = append(used, u)
		}
	}
	return used
}

// settle tells everybody concerned what an answer says.
func (g *Governor) settle(c *call, l *lease, resp *http1.Response, v binance.Verdict, now time.Time) {
	var buffer [maxUsed]binance.Used
	used := usedBy(resp.Header, buffer[:0])
	c.reprice(g.lessons[c.market])
	s := settlement{at: now, dated: g.dates.parse(resp.Header.Get("Date")), cost: c.cost.Weight, header: l.counted(used)}
	if v.Kind == binance.Accepted {
		s.cost = c.cost.Success
	}
	if v.Free {
		s.cost = 0
	}
	window := l.weight.index
	believed := l.settle(s)
	l.gate.spent(now, c, s.cost)
	if believed && c.market != binance.SAPI && s.header >= 0 && s.cost > 0 {
		p := price{endpoint: c.endpoint, weight: c.cost.Weight}
		if c.cost.Endpoint != nil {
			p.when = c.cost.When
		}
		if g.lessons[c.market].hear(heard{s.header, c.row, now}, window, p) {
			l.gate.forgetForeign() // It was our own use at the wrong price.
		}
	}
	g.metrics.answered(c.market, resp.Status)
	if c.cost.Orders > 0 || c.class == orders || v.Kind == binance.OrdersLimited {
		g.orders[c.market.Host()].settle(c.account, c.cost, used, v, now)
	}
	if v.Kind != binance.Accepted && v.Kind != binance.Refused {
		g.refused(c, l.gate, l.lane, v, now)
	}
}

// refused does what an answer asks of us; API docs, rest-api.md and errors.md,
// 2026-07.
func (g *Governor) refused(c *call, on *gate, l *lane, v binance.Verdict, now time.Time) {
	g.metrics.refused(c.market, v.Kind)
	switch v.Kind {
	case binance.Limited:
		on.stop(l, v.RetryAfter, now)
		g.logger.Warn("Exchange refused a request for its weight", "market", c.market, "egress", l.egress.name,
			"client", c.client, "endpoint", c.endpoint, "retry_after", v.RetryAfter)
	case binance.Banned, binance.Firewall, binance.Region:
		if c.market == binance.SAPI && v.Kind == binance.Banned {
			on.stop(l, v.RetryAfter, now) // /sapi never bans the address; its docs, 2026-07.
			return
		}
		g.ban(c, l, v, now)
	case binance.Overloaded:
		on.slow(l, now)
	case binance.Clock:
		g.refresher.resync(c.market)
	}
}

// ban remembers a ban, on disk too, and tells people.
func (g *Governor) ban(c *call, l *lane, v binance.Verdict, now time.Time) {
	event, err := g.bans.start(l.ban, v, now)
	if err != nil {
		g.logger.Error("Ban not written down", "err", err)
	}
	if event == nil {
		return
	}
	event.Client, event.Endpoint = c.client, c.endpoint
	g.logger.Error("Exchange refuses this address", "market", event.Market, "egress", event.Egress, "kind", event.Kind,
		"until", event.Until, "count", event.Count, "client", event.Client, "endpoint", event.Endpoint)
	select {
	case g.events <- *event:
	default:
		g.metrics.eventsDropped.Inc()
	}
}

// peek reads the beginning of an error's body and leaves the body whole.
func peek(resp *http1.Response) []byte {
	start, err := io.ReadAll(io.LimitReader(resp.Body, binance.MaxErrorBytes))
	rest := resp.Body
	var more io.Reader = rest
	if err != nil {
		more = brokenReader{err} // Whoever reads on gets the error that we got.
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), more), rest}
	if resp.Header.Get("Content-Encoding") != "gzip" {
		return start
	}
	z, err := gzip.NewReader(bytes.NewReader(start))
	if err != nil {
		return nil
	}
	// Where the text breaks off, what came before it is enough.
	text, _ := io.ReadAll(io.LimitReader(z, binance.MaxErrorBytes))
	return text
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// localResponse is an answer of ours in the exchange's form.
func localResponse(p *problem) *http1.Response {
	code := p.code
	if code == 0 {
		code = -1003
	}
	body := fmt.Sprintf(`{"code":%d,"msg":%q}`, code, p.text)
	h := http1.Header{
		{Name: "Date", Value: time.Now().UTC().Format(http.TimeFormat)},
		{Name: "Content-Type", Value: "application/json;charset=UTF-8"},
		{Name: outcomeHeader, Value: p.outcome},
	}
	if p.retry > 0 {
		h = append(h, http1.Field{Name: "Retry-After", Value: fmt.Sprint(int64((p.retry + time.Second - 1) / time.Second))})
	}
	return &http1.Response{Status: p.status, Header: h, Length: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
}
