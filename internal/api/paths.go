package api

import (
	"net/http"
	"net/http/pprof"
	"sync"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/util/httputil"

	"github.com/hedgewatch/hedgewatch/internal/state"
)

// routes maps every path to its handler. docs/http-api.md is this list in words.
func (s *Server) routes(cors *regexp.Regexp) (*http.ServeMux, error) {
	mux := http.NewServeMux()
	permit := s.gate.permit
	handle := func(pattern, name string, p permission, h http.Handler) {
		mux.Handle(pattern, permit(p, boundForm(s.metrics.instrument(name, h.ServeHTTP))))
	}
	admin, viewer := always(state.Admin), always(state.Viewer)
	push, query := always(state.Editor).quietly(), viewer

	handle("GET /-/healthy", "/-/healthy", everybody(), http.HandlerFunc(healthy))
	handle("GET /-/ready", "/-/ready", everybody(), http.HandlerFunc(s.ready))
	handle("/-/reload", "/-/reload", admin, s.lifecycle(s.reload))
	handle("/-/quit", "/-/quit", admin, s.lifecycle(s.quit()))
	handle("GET /metrics", "/metrics", viewer, promhttp.InstrumentMetricHandler(s.deps.Registerer,
		promhttp.HandlerFor(s.deps.Gatherer, promhttp.HandlerOpts{})))
	handle("GET /federate", "/federate", viewer, s.whenReady(httputil.CompressionHandler{Handler: s.federation()}.ServeHTTP))

	s.buildAPI = sync.OnceValue(func() http.Handler { return s.apiV1(cors) })
	prometheus := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.buildAPI().ServeHTTP(w, r) // It counts its own requests.
	})
	mux.Handle("/api/v1/", permit(prometheusPermission(), boundForm(prometheus)))
	mux.Handle("GET /api/v1/notifications/live", permit(viewer, s.endsWithServer(prometheus)))
	mux.Handle("POST /api/v1/write", permit(push, pushes(remoteWriteFormat(), prometheus)))
	mux.Handle("POST /api/v1/read", permit(query, pushes(remoteReadFormat(), prometheus)))
	mux.Handle("POST /api/v1/otlp/v1/metrics", permit(push, pushes(otlpFormat(), prometheus)))
	handle("GET /api/v1/openapi.yaml", "/api/v1/openapi.yaml", viewer, s.whenReady(s.describePaths().ServeHTTP))
	handle("GET /api/v1/status/config", "/api/v1/status/config", viewer, s.whenReady(httputil.CompressionHandler{Handler: s.configText(cors)}.ServeHTTP))

	handle("/api/v2/", "/api/v2/", byMethod(), s.deps.Alertmanager)
	handle("POST /api/v2/alerts", "/api/v2/", push, s.deps.Alertmanager)
	handle("/alertmanager/api/v2/", "/alertmanager/api/v2/", byMethod(), http.StripPrefix("/alertmanager", s.deps.Alertmanager))
	handle("POST /alertmanager/api/v2/alerts", "/alertmanager/api/v2/", push, http.StripPrefix("/alertmanager", s.deps.Alertmanager))
	handle("GET /alertmanager/-/healthy", "/alertmanager/-/healthy", everybody(), http.HandlerFunc(healthy))
	handle("GET /alertmanager/-/ready", "/alertmanager/-/ready", everybody(), http.HandlerFunc(s.ready))

	if err := s.mountOwn(mux); err != nil {
		return nil, err
	}
	handle("/api/", "/api/", everybody(), http.HandlerFunc(notFoundJSON))

	// For those who may stop the process: a profile slows it down.
	handle("/debug/pprof/", "/debug/pprof/", admin, http.HandlerFunc(pprof.Index))
	handle("/debug/pprof/cmdline", "/debug/pprof/cmdline", admin, http.HandlerFunc(pprof.Cmdline))
	handle("/debug/pprof/profile", "/debug/pprof/profile", admin, http.HandlerFunc(pprof.Profile))
	handle("/debug/pprof/symbol", "/debug/pprof/symbol", admin, http.HandlerFunc(pprof.Symbol))
	handle("/debug/pprof/trace", "/debug/pprof/trace", admin, http.HandlerFunc(pprof.Trace))

	// The page holds no data; it shows the login itself.
	handle("/", "/", everybody(), s.deps.UI)
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
