package instrument

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// HTTPClientConfig says how clients are measured. Its zero value is usable.
type HTTPClientConfig struct {
	// MaxPeers bounds the label peer; 0 means 64. Further peers share "other".
	MaxPeers int
	// Buckets are upper bounds of the durations, in seconds; nil means 1 ms to 10 s.
	Buckets []float64
}

// HTTPClient measures the requests that a service makes. It is safe for
// concurrent use. For Binance there is [Binance], which knows its limits too.
type HTTPClient struct {
	series *seriesTable
	active *prometheus.GaugeVec
	clock  clock
}

// NewHTTPClient registers the metrics http_client_*.
func NewHTTPClient(reg prometheus.Registerer, cfg HTTPClientConfig) (*HTTPClient, error) {
	if cfg.MaxPeers <= 0 {
		cfg.MaxPeers = 64
	}
	if cfg.Buckets == nil {
		cfg.Buckets = latencyBuckets()
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_client_requests_total",
		Help: "Requests made, by class of status; error if no answer came, canceled if we gave up.",
	}, []string{"peer", "method", "code"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_client_request_duration_seconds",
		Help:    "Time from a request to the header of its answer, or to its error.",
		Buckets: cfg.Buckets,
	}, []string{"peer", "method"})
	active := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "http_client_active_requests",
		Help: "Requests that wait for the header of their answer.",
	}, []string{"peer"})
	if err := register(reg, "HTTP client", requests, duration, active); err != nil {
		return nil, err
	}
	build := func(key httpKey) *httpSeries {
		series := &httpSeries{took: duration.WithLabelValues(key.name, key.method)}
		for o := range outcomes {
			series.requests[o] = requests.WithLabelValues(key.name, key.method, o.String())
		}
		return series
	}
	return &HTTPClient{series: newSeriesTable(cfg.MaxPeers, build), active: active, clock: newClock()}, nil
}

// Transport measures the requests that go through next to a peer: a name that
// people know it by, not its address. The counters of GET and POST begin at 0. A
// nil next means http.DefaultTransport.
func (c *HTTPClient) Transport(peer string, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	name := c.series.claim(peer)
	t := &clientTransport{peer: name, next: next, series: c.series, active: c.active.WithLabelValues(name), clock: c.clock}
	t.get = c.series.get(httpKey{name, http.MethodGet})
	t.post = c.series.get(httpKey{name, http.MethodPost})
	return t
}

type clientTransport struct {
	peer      string
	next      http.RoundTripper
	series    *seriesTable
	get, post *httpSeries // Of nearly all requests, found without a look into the table.
	active    prometheus.Gauge
	clock     clock
}

func (t *clientTransport) seriesOf(method string) *httpSeries {
	switch method {
	case http.MethodGet, "":
		return t.get
	case http.MethodPost:
		return t.post
	}
	return t.series.get(httpKey{t.peer, knownMethod(method)})
}

// RoundTrip implements http.RoundTripper.
func (t *clientTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	start := t.clock.now()
	t.active.Inc()
	resp, err := t.next.RoundTrip(r)
	t.active.Dec()
	series := t.seriesOf(r.Method)
	series.took.Observe((t.clock.now() - start).Seconds())
	switch {
	case err == nil:
		series.requests[outcomeOf(resp.StatusCode)].Inc()
	case errors.Is(err, context.Canceled):
		series.requests[canceled].Inc()
	default:
		series.requests[failed].Inc()
	}
	return resp, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach next.
func (t *clientTransport) CloseIdleConnections() { closeIdle(t.next) }

func closeIdle(rt http.RoundTripper) {
	if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
