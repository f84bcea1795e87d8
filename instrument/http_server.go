package instrument

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// HTTPServerConfig says how a server is measured. Its zero value is usable.
type HTTPServerConfig struct {
	// Routes are patterns as http.ServeMux takes them, "GET /orders/{id}". Their
	// counters begin at 0; those of other routes begin with the first request.
	Routes []string
	// MaxRoutes bounds the label route; 0 means 256. Further routes share the
	// value "other".
	MaxRoutes int
	// Buckets are upper bounds of the durations, in seconds; nil means 1 ms to 10 s.
	Buckets []float64
}

// HTTPServer measures the requests that a server answers: rate, errors, duration.
// It is safe for concurrent use.
type HTTPServer struct {
	series    *seriesTable
	active    prometheus.Gauge
	clock     clock
	recorders sync.Pool
}

// NewHTTPServer registers the metrics http_server_*.
func NewHTTPServer(reg prometheus.Registerer, cfg HTTPServerConfig) (*HTTPServer, error) {
	if cfg.MaxRoutes <= 0 {
		cfg.MaxRoutes = 256
	}
	if cfg.Buckets == nil {
		cfg.Buckets = latencyBuckets()
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_server_requests_total",
		Help: "Requests answered, by class of status; canceled if the client left first.",
	}, []string{"route", "method", "code"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_server_request_duration_seconds",
		Help:    "Time from a request's header to the end of its handler.",
		Buckets: cfg.Buckets,
	}, []string{"route", "method"})
	panics := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_server_panics_total",
		Help: "Handlers that panicked.",
	}, []string{"route", "method"})
	active := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "http_server_active_requests",
		Help: "Requests whose handler runs.",
	})
	if err := register(reg, "HTTP server", requests, duration, panics, active); err != nil {
		return nil, err
	}
	s := &HTTPServer{active: active, clock: newClock()}
	s.recorders.New = func() any { return newRecorder() }
	s.series = newSeriesTable(cfg.MaxRoutes, func(key httpKey) *httpSeries {
		route := routeOf(key.name)
		series := &httpSeries{
			took:   duration.WithLabelValues(route, key.method),
			panics: panics.WithLabelValues(route, key.method),
		}
		for o := range failed { // A server's request always has an answer.
			series.requests[o] = requests.WithLabelValues(route, key.method, o.String())
		}
		return series
	})
	for _, pattern := range cfg.Routes {
		s.expect(pattern)
	}
	return s, nil
}

// Handler measures next, which is an http.ServeMux or leads to one: the route is
// the pattern that matched, "unmatched" if none did. A middleware between the two
// that replaces the request, as http.Request.WithContext does, hides the pattern;
// put Handler inside of it.
func (s *HTTPServer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, next, "")
	})
}

// Route measures next under a given pattern, for routers that do not set
// http.Request.Pattern. The pattern's counters begin at 0.
func (s *HTTPServer) Route(pattern string, next http.Handler) http.Handler {
	s.expect(pattern)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, next, pattern)
	})
}

func (s *HTTPServer) expect(pattern string) {
	method, _, ok := strings.Cut(pattern, " ")
	if !ok {
		method = http.MethodGet
	}
	s.series.get(httpKey{pattern, knownMethod(method)})
}

func (s *HTTPServer) serve(w http.ResponseWriter, r *http.Request, next http.Handler, pattern string) {
	start := s.clock.now()
	s.active.Inc()
	rec := s.recorders.Get().(*recorder)
	returned := false
	defer func() {
		if pattern == "" {
			pattern = r.Pattern
		}
		series := s.series.get(httpKey{pattern, knownMethod(r.Method)})
		s.active.Dec()
		series.took.Observe((s.clock.now() - start).Seconds())
		series.requests[rec.outcome(r.Context(), returned)].Inc()
		if returned {
			rec.release(&s.recorders)
			return
		}
		// The handler panicked or ended its goroutine. Its panic goes on; the
		// frames it came from are still on the stack.
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				series.panics.Inc()
			}
			panic(v)
		}
	}()
	next.ServeHTTP(rec.wrap(w), r)
	returned = true
}

// routeOf turns a pattern into the value of the label route, which has no method:
// that is a label of its own.
func routeOf(pattern string) string {
	if pattern == "" {
		return "unmatched"
	}
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return strings.TrimLeft(path, " \t")
	}
	return pattern
}

// outcome judges the answer. A client that went away is no error of the server,
// even if the handler ran into its canceled context and said 500.
func (r *recorder) outcome(ctx context.Context, returned bool) outcome {
	o := success // What net/http sends if the handler says nothing.
	switch {
	case r.hijacked:
		return informational
	case !returned:
		o = serverError
	case r.status != 0:
		o = outcomeOf(r.status)
	}
	if (o == serverError || r.status == 0) && errors.Is(ctx.Err(), context.Canceled) {
		return canceled
	}
	return o
}
