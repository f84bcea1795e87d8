package governor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/hedgewatch/hedgewatch/internal/http1"
)

// egress is a way out to the exchange.
type egress struct {
	name string
	// direct carries requests where no proxy is in between, else transport does.
	direct    *http1.Client
	transport http.RoundTripper
	// sockets opens WebSockets.
	sockets http.RoundTripper
	close   func()
}

func (e *egress) send(ctx context.Context, c *call, base *url.URL) (*http1.Response, error) {
	if e.direct != nil {
		return e.direct.Do(ctx, base, &http1.Request{Method: c.method, Target: c.target(), Header: c.header, Body: c.body})
	}
	resp, err := e.transport.RoundTrip(c.request(base).WithContext(ctx))
	if err != nil {
		return nil, err
	}
	return http1.ResponseOf(resp), nil
}

// What the exchange has time for. Its own backend gives up after 10 s; API docs,
// 2026-07.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 30 * time.Second
	idleTimeout   = 90 * time.Second
	// idleConnections are kept open to a host, so that no request waits for a
	// handshake after a quiet second.
	idleConnections = 256
)

// defaultEgress is the way out when none is configured.
const defaultEgress = "default"

func newEgress(cfg Egress) *egress {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	if a, err := netip.ParseAddr(cfg.LocalAddress); err == nil {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
	}
	t := &http.Transport{
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: answerTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   idleConnections,
		// What the client asked for is what it gets.
		DisableCompression: true,
		// One connection for each request in flight: on a shared one a long answer
		// would stand before an order.
		Protocols: new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if cfg.Proxy != "" {
		// Validate has read it.
		if u, err := url.Parse(string(cfg.Proxy)); err == nil {
			t.Proxy = http.ProxyURL(u)
			t.OnProxyConnectResponse = refusedByProxy
		}
	}
	e := &egress{name: cfg.Name, transport: t, sockets: t, close: t.CloseIdleConnections}
	if cfg.Proxy == "" {
		direct := http1.NewClient(dialer)
		e.direct = direct
		e.close = func() { direct.Close(); t.CloseIdleConnections() }
	}
	return e
}

// refusedByProxy makes a proxy's refusal one of those errors after which nothing was
// sent.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("the proxy answered %d", resp.StatusCode)}
}
