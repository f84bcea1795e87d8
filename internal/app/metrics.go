package app

import (
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/hedgewatch/hedgewatch/internal/api"
)

// newRegistry returns the registry of everything in this process.
func newRegistry(v api.Version) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	buildInfo := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hedgewatch_build_info",
		Help: "1, with the version of this build as labels.",
		ConstLabels: prometheus.Labels{
			"version": v.Version, "revision": v.Revision, "goversion": runtime.Version(),
		},
	})
	buildInfo.Set(1)
	reg.MustRegister(
		buildInfo,
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC, collectors.MetricsScheduler)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return reg
}

// newGatherer gathers reg and what the embedded libraries register on
// client_golang's default registry, which they do in their init functions. The
// default registry's own go_ and process_ families are in reg already.
func newGatherer(reg *prometheus.Registry) prometheus.Gatherer {
	libraries := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		all, err := prometheus.DefaultGatherer.Gather()
		kept := all[:0]
		for _, f := range all {
			if name := f.GetName(); !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") && !strings.HasPrefix(name, "promhttp_") {
				kept = append(kept, f)
			}
		}
		return kept, err
	})
	return prometheus.Gatherers{reg, libraries}
}

// runtimeInfo adds what only we know to /api/v1/status/runtimeinfo.
func (a *App) runtimeInfo(info *apiv1.RuntimeInfo) error {
	cfg := a.config.Load().Prometheus
	last := a.reloads.last.Load()
	info.ReloadConfigSuccess, info.LastConfigTime = last.ok, last.success
	info.CorruptionCount = int64(len(a.store.Quarantined()))
	if r := cfg.StorageConfig.TSDBConfig.Retention; r != nil {
		var limits []string
		if r.Time > 0 {
			limits = append(limits, r.Time.String())
		}
		if r.Size > 0 {
			limits = append(limits, r.Size.String())
		}
		info.StorageRetention = strings.Join(limits, " or ")
	}
	return nil
}
