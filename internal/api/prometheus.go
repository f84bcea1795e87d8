package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/grafana/regexp"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/httputil"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"
)

// prometheusVersion is the embedded release as /api/v1/status/buildinfo names
// it: clients such as Grafana choose features by it, and module v0.315.0 is
// Prometheus 3.15.0.
const prometheusVersion = "3.15.0"

// apiV1 builds the embedded Prometheus API. All knowledge of its constructor
// and of its traps is here.
func (s *Server) apiV1(cors *regexp.Regexp) http.Handler {
	c, d := s.cfg, s.deps
	api := apiv1.NewAPI(
		d.Engine,
		d.Storage,
		d.Appendable, d.AppendableV2, // Both are needed: remote write uses the first, OTLP the second.
		d.Storage,
		func(context.Context) apiv1.ScrapePoolsRetriever { return d.Targets },
		func(context.Context) apiv1.TargetRetriever { return d.Targets },
		func(context.Context) apiv1.AlertmanagerRetriever { return d.Alertmanagers },
		d.Config,
		d.Flags, // Must not be nil.
		apiv1.GlobalURLOptions{
			ListenAddress: c.ListenAddresses[0],
			Host:          c.ExternalURL.Host,
			Scheme:        c.ExternalURL.Scheme,
		},
		s.whenReady,
		d.Storage,
		c.TSDBDir,
		c.EnableAdmin,
		c.EnableSearch,
		c.MaxSearchLimit,
		d.Logger,
		func(context.Context) apiv1.RulesRetriever { return d.Rules },
		c.RemoteReadSampleLimit,
		c.RemoteReadConcurrencyLimit, // Zero would block every remote read.
		c.RemoteReadBytesInFrame,
		false, // Not an agent.
		cors,  // Must not be nil.
		s.runtimeInfo,
		&apiv1.PrometheusVersion{
			Version:   prometheusVersion,
			Revision:  d.Version.Revision,
			Branch:    "hedgewatch " + d.Version.Version,
			GoVersion: runtime.Version(),
		},
		d.Notifications.Get,
		d.Notifications.Sub,
		d.Gatherer,
		d.Registerer,
		nil, // The default statistics renderer.
		c.EnableRemoteWriteReceiver,
		remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType},
		c.EnableOTLPReceiver, c.OTLPDeltaToCumulative, c.OTLPNativeDelta,
		c.STZeroIngestion,
		c.LookbackDelta,
		c.TypeAndUnitLabels,
		c.AppendMetadata,
		nil, // The default status codes.
		d.Features,
		// The description costs more than all else here and is rarely read:
		// leave out what can be, describePaths builds it when somebody asks.
		apiv1.OpenAPIOptions{IncludePaths: []string{"none"}},
		d.Parser,
	)
	s.declareFeatures()

	router := route.New().WithInstrumentation(func(name string, next http.HandlerFunc) http.HandlerFunc {
		return s.metrics.instrument("/api/v1"+name, func(w http.ResponseWriter, r *http.Request) {
			// The path reaches the query log and the active query file.
			ctx := httputil.ContextWithPath(r.Context(), c.RoutePrefix+"/api/v1"+r.URL.Path)
			next(w, r.WithContext(ctx))
		})
	})
	api.Register(router)
	return http.StripPrefix("/api/v1", router)
}

// describePaths serves the embedded API's own description, built at the first
// request.
func (s *Server) describePaths() http.Handler {
	builder := sync.OnceValue(func() *apiv1.OpenAPIBuilder {
		return apiv1.NewOpenAPIBuilder(apiv1.OpenAPIOptions{
			ExternalURL:    s.cfg.ExternalURL.String(),
			Version:        prometheusVersion,
			MaxSearchLimit: s.cfg.MaxSearchLimit,
		}, s.deps.Logger)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { builder().ServeOpenAPI(w, r) })
}

// declareFeatures fills the part of /api/v1/features that depends on us.
func (s *Server) declareFeatures() {
	f := s.deps.Features
	f.Set(features.API, "lifecycle", s.cfg.EnableLifecycle)
	f.Set(features.API, "admin", s.cfg.EnableAdmin)
	f.Set(features.API, "search", s.cfg.EnableSearch)
	f.Set(features.API, "remote_write_receiver", s.cfg.EnableRemoteWriteReceiver)
	f.Set(features.API, "otlp_write_receiver", s.cfg.EnableOTLPReceiver)
	f.Set(features.OTLPReceiver, "delta_conversion", s.cfg.OTLPDeltaToCumulative)
	f.Set(features.OTLPReceiver, "native_delta_ingestion", s.cfg.OTLPNativeDelta)
	for _, name := range []string{
		"label_values_match", "query_warnings", "query_stats", "time_range_series",
		"time_range_labels", "exclude_alerts", "openapi_3.1", "openapi_3.2",
	} {
		f.Enable(features.API, name)
	}
}

// runtimeInfo is the answer of /api/v1/status/runtimeinfo.
func (s *Server) runtimeInfo() (apiv1.RuntimeInfo, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return apiv1.RuntimeInfo{}, fmt.Errorf("read host name: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "unknown: " + err.Error() // Deleted under us; no reason to hide the rest.
	}
	info := apiv1.RuntimeInfo{
		StartTime:      s.start,
		CWD:            dir,
		Hostname:       hostname,
		ServerTime:     time.Now().UTC(),
		GoroutineCount: runtime.NumGoroutine(),
		GOMAXPROCS:     runtime.GOMAXPROCS(0),
		GOMEMLIMIT:     debug.SetMemoryLimit(-1),
		GOGC:           os.Getenv("GOGC"),
		GODEBUG:        os.Getenv("GODEBUG"),
	}
	err = s.deps.RuntimeInfo(&info)
	return info, err
}
