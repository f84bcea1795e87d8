package instrument

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A governor runs on the same machine or next to it. One that does not accept a
// connection in this time is down, and no request waits longer to learn that.
const governorDialTimeout = 250 * time.Millisecond

// How long the governor is left alone after it was found down. An order is sent
// direct without a try while others try more often, for it must not wait.
const (
	retryOthers = time.Second
	retryUrgent = 30 * time.Second
)

// maxReplayedBody bounds the body that is kept to be sent again by the other way,
// of a request whose own cannot be read twice. Binance takes short forms.
const maxReplayedBody = 64 << 10

// errUnsent says that no byte of the request reached the governor.
var errUnsent = errors.New("the governor is down")

// governor is the way through hedgewatch's governor.
type governor struct {
	base      *url.URL
	header    http.Header
	transport *http.Transport
	weights   map[string]int64
	logger    *slog.Logger
	up        prometheus.Gauge
	direct    *prometheus.CounterVec

	mu      sync.Mutex
	down    bool
	lastTry time.Time
}

func newGovernor(cfg BinanceConfig, m binanceMetrics) (*governor, error) {
	base, err := parseBase(cfg.Governor)
	if err != nil {
		return nil, fmt.Errorf("BinanceConfig.Governor: %w", err)
	}
	weights, err := parseWeights(weightTable)
	if err != nil {
		return nil, err
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	header := http.Header{clientHeader: {cfg.Client}}
	if cfg.Token != "" {
		header.Set("Authorization", "Bearer "+cfg.Token)
	}
	for _, market := range []Market{Spot, USDM, COINM, SAPI} {
		for _, p := range priorities() {
			m.direct.WithLabelValues(string(market), string(p), "sent")
			m.direct.WithLabelValues(string(market), string(p), "refused")
		}
	}
	m.up.Set(1)
	return &governor{
		base:   base,
		header: header,
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: governorDialTimeout}).DialContext,
			TLSClientConfig:     cfg.TLS,
			TLSHandshakeTimeout: 4 * governorDialTimeout,
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 100,
			IdleConnTimeout:     90 * time.Second,
		},
		weights: weights,
		logger:  logger,
		up:      m.up,
		direct:  m.direct,
	}, nil
}

// worthTrying says whether to go through the governor. While it is down, one
// request now and then finds out whether it is back.
func (g *governor) worthTrying(urgent bool, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := retryOthers
	if urgent {
		wait = retryUrgent
	}
	if g.down && now.Sub(g.lastTry) < wait {
		return false
	}
	g.lastTry = now
	return true
}

func (g *governor) report(down bool, cause error) {
	g.mu.Lock()
	changed := g.down != down
	g.down = down
	g.mu.Unlock()
	switch {
	case !changed:
	case down:
		g.up.Set(0)
		g.logger.Warn("Governor is down; requests go direct with a safe share of the limit", "governor", g.base.Redacted(), "err", cause)
	default:
		g.up.Set(1)
		g.logger.Info("Governor is back", "governor", g.base.Redacted())
	}
}

// roundTrip sends r through the governor. An error that is errUnsent leaves r as
// it was, to be sent by the other way.
func (g *governor) roundTrip(r *http.Request, rank int) (*http.Response, error) {
	connected := false
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }}
	out := r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
	out.URL = withBase(r.URL, g.base)
	out.Host = ""
	out.Header = maps.Clone(r.Header)
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	maps.Copy(out.Header, g.header)
	out.Header[priorityHeader] = []string{string(priorities()[rank])}

	resp, err := g.transport.RoundTrip(out)
	switch {
	case err == nil:
		g.report(false, nil)
		return resp, nil
	case r.Context().Err() != nil:
		return nil, err // The service gave up; this says nothing about the governor.
	case !connected || isDial(err):
		g.report(true, err)
		return nil, errUnsent
	case r.Method == http.MethodGet && (r.Body == nil || r.Body == http.NoBody):
		// It broke in the middle. To read twice does no harm.
		return nil, errUnsent
	}
	return nil, err
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func withBase(u, base *url.URL) *url.URL {
	moved := *u
	moved.Scheme, moved.Host = base.Scheme, base.Host
	return &moved
}

// replayable returns r in a form whose body can be had twice.
func replayable(r *http.Request) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody || r.GetBody != nil {
		return r, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxReplayedBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxReplayedBody {
		return nil, fmt.Errorf("%s %s: the body is longer than %d bytes; set http.Request.GetBody", r.Method, r.URL.Path, maxReplayedBody)
	}
	kept := r.WithContext(r.Context())
	kept.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	kept.Body, _ = kept.GetBody()
	return kept, nil
}
