package alerting

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the ones that Alertmanager's program, not its library, exports,
// under the names that its mixin's rules and dashboards use.
type metrics struct {
	requestDuration *prometheus.HistogramVec
	receivers       prometheus.Gauge
	integrations    prometheus.Gauge
	inhibitionRules prometheus.Gauge
	reloadOK        prometheus.Gauge
	reloadTime      prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) metrics {
	f := promauto.With(r)
	f.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_cluster_enabled",
		Help: "Indicates whether the clustering is enabled or not.",
	})
	return metrics{
		requestDuration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "alertmanager_http_request_duration_seconds",
			Help:                            "Histogram of latencies for HTTP requests.",
			Buckets:                         prometheus.DefBuckets,
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"handler", "method", "code"}),
		receivers: f.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_receivers",
			Help: "Number of configured receivers.",
		}),
		integrations: f.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_integrations",
			Help: "Number of configured integrations.",
		}),
		inhibitionRules: f.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_inhibition_rules",
			Help: "Number of configured inhibition rules.",
		}),
		reloadOK: f.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_config_last_reload_successful",
			Help: "Whether the last configuration reload attempt was successful.",
		}),
		reloadTime: f.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_config_last_reload_success_timestamp_seconds",
			Help: "Timestamp of the last successful configuration reload.",
		}),
	}
}

// applied notes that a plan is in use.
func (m metrics) applied(p *plan) {
	m.receivers.Set(float64(len(p.receivers)))
	m.integrations.Set(float64(len(p.destinations)))
	m.inhibitionRules.Set(float64(len(p.config.InhibitRules)))
	m.reloadOK.Set(1)
	m.reloadTime.SetToCurrentTime()
}
