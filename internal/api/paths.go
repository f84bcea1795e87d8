package api

import (
	"net/http"
	"net/http/pprof"
	"sync"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/util/httputil"
)

// routes maps every path to its handler. docs/http-api.md is this list in words.
func (s *Server) routes(cors *regexp.Regexp) (*http.ServeMux, error) {
	mux := http.NewServeMux()
	handle := func(pattern, name string, h http.Handler) {
		mux.Handle(pattern, boundForm(s.metrics.instrument(name, h.ServeHTTP)))
	}

	handle("GET /-/healthy", "/-/healthy", http.HandlerFunc(healthy))
	handle("GET /-/ready", "/-/ready", http.HandlerFunc(s.ready))
	handle("/-/reload", "/-/reload", s.lifecycle(s.reload))
	handle("/-/quit", "/-/quit", s.lifecycle(s.quit()))
	handle("GET /metrics", "/metrics", promhttp.InstrumentMetricHandler(s.deps.Registerer,
		promhttp.HandlerFor(s.deps.Gatherer, promhttp.HandlerOpts{})))
	handle("GET /federate", "/federate", s.whenReady(httputil.CompressionHandler{Handler: s.federation()}.ServeHTTP))

	s.buildAPI = sync.OnceValue(func() http.Handler { return s.apiV1(cors) })
	prometheus := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.buildAPI().ServeHTTP(w, r) // It counts its own requests.
	})
	mux.Handle("/api/v1/", boundForm(prometheus))
	mux.Handle("GET /api/v1/notifications/live", s.endsWithServer(prometheus))
	mux.Handle("POST /api/v1/write", pushes(remoteWriteFormat(), prometheus))
	mux.Handle("POST /api/v1/read", pushes(remoteReadFormat(), prometheus))
	mux.Handle("POST /api/v1/otlp/v1/metrics", pushes(otlpFormat(), prometheus))
	handle("GET /api/v1/openapi.yaml", "/api/v1/openapi.yaml", s.whenReady(s.describePaths().ServeHTTP))
	handle("GET /api/v1/status/config", "/api/v1/status/config", s.whenReady(httputil.CompressionHandler{Handler: s.configText(cors)}.ServeHTTP))

	handle("/api/v2/", "/api/v2/", s.deps.Alertmanager)
	handle("/alertmanager/api/v2/", "/alertmanager/api/v2/", http.StripPrefix("/alertmanager", s.deps.Alertmanager))
	handle("GET /alertmanager/-/healthy", "/alertmanager/-/healthy", http.HandlerFunc(healthy))
	handle("GET /alertmanager/-/ready", "/alertmanager/-/ready", http.HandlerFunc(s.ready))

	if err := s.mountOwn(mux); err != nil {
		return nil, err
	}
	handle("/api/", "/api/", http.HandlerFunc(notFoundJSON))

	// Open to whoever got in, as in Prometheus: promtool debug needs them.
	handle("/debug/pprof/", "/debug/pprof/", http.HandlerFunc(pprof.Index))
	handle("/debug/pprof/cmdline", "/debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline))
	handle("/debug/pprof/profile", "/debug/pprof/profile", http.HandlerFunc(pprof.Profile))
	handle("/debug/pprof/symbol", "/debug/pprof/symbol", http.HandlerFunc(pprof.Symbol))
	handle("/debug/pprof/trace", "/debug/pprof/trace", http.HandlerFunc(pprof.Trace))

	handle("/", "/", s.deps.UI)
	return mux, nil
}

func (s *Server) federation() http.Handler {
	return &federation{
		logger:         s.deps.Logger,
		metrics:        s.metrics,
		parser:         s.deps.Parser,
		local:          s.deps.Local,
		externalLabels: func() labels.Labels { return s.deps.Config().GlobalConfig.ExternalLabels },
		lookback:       s.cfg.LookbackDelta,
	}
}

// configText answers for the embedded API, which knows only the Prometheus
// part of the file.
func (s *Server) configText(cors *regexp.Regexp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httputil.SetCORS(w, cors, r)
		writeJSON(w, http.StatusOK, map[string]any{
			"status": "success",
			"data":   map[string]string{"yaml": s.deps.ConfigText()},
		})
	})
}

// underPrefix serves next below a path prefix and sends "/" there.
func underPrefix(prefix string, next http.Handler) http.Handler {
	if prefix == "" {
		return next
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, next))
	mux.Handle("/{$}", http.RedirectHandler(prefix+"/", http.StatusFound))
	return mux
}
