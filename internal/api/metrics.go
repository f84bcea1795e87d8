package api

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics keep Prometheus' names where it has one, so that its mixin works.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	size     *prometheus.HistogramVec

	federationErrors   prometheus.Counter
	federationWarnings prometheus.Counter

	refused       *prometheus.CounterVec
	webConfigGood prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, s *Server) *metrics {
	auto := promauto.With(reg)
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "prometheus_ready",
		Help: "Whether startup was fully completed and the server is ready for normal operation.",
	}, func() float64 {
		if s.waitingFor() != nil {
			return 0
		}
		return 1
	})
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hedgewatch_http_connections",
		Help: "Open HTTP connections.",
	}, func() float64 { return float64(s.open.Load()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hedgewatch_http_connections_limit",
		Help: "Most HTTP connections that are served at once; further ones wait.",
	}, func() float64 { return float64(s.cfg.MaxConnections) })

	return &metrics{
		requests: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "prometheus_http_requests_total",
			Help: "Counter of HTTP requests.",
		}, []string{"handler", "code"}),
		duration: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "prometheus_http_request_duration_seconds",
			Help:                            "Histogram of latencies for HTTP requests.",
			Buckets:                         []float64{.1, .2, .4, 1, 3, 8, 20, 60, 120},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"handler"}),
		size: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "prometheus_http_response_size_bytes",
			Help:    "Histogram of response size for HTTP requests.",
			Buckets: prometheus.ExponentialBuckets(100, 10, 8),
		}, []string{"handler"}),
		federationErrors: auto.NewCounter(prometheus.CounterOpts{
			Name: "prometheus_web_federation_errors_total",
			Help: "Total number of errors that occurred while sending federation responses.",
		}),
		federationWarnings: auto.NewCounter(prometheus.CounterOpts{
			Name: "prometheus_web_federation_warnings_total",
			Help: "Total number of warnings that occurred while sending federation responses.",
		}),
		refused: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_http_refused_requests_total",
			Help: "Requests refused before they reached a handler.",
		}, []string{"reason"}),
		webConfigGood: auto.NewGauge(prometheus.GaugeOpts{
			Name: "hedgewatch_web_config_last_reload_successful",
			Help: "Whether the web config file on disk is the one in use.",
		}),
	}
}

// instrument counts and times the requests of one handler. The name is a path
// from our code, never from a request.
func (m *metrics) instrument(name string, next http.HandlerFunc) http.HandlerFunc {
	label := prometheus.Labels{"handler": name}
	m.requests.WithLabelValues(name, "200") // Born at zero, so that rate() sees the first one.
	return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(label),
		promhttp.InstrumentHandlerDuration(m.duration.MustCurryWith(label),
			promhttp.InstrumentHandlerResponseSize(m.size.MustCurryWith(label), next)))
}
