package heartbeat

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	refused      *prometheus.CounterVec
	saveFailures prometheus.Counter
	pings        *prometheus.CounterVec
	lastPing     *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer, h *Heartbeats) metrics {
	f := promauto.With(r)
	r.MustRegister(collector{h})
	m := metrics{
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_heartbeat_refused_total",
			Help: "Heartbeats that were not accepted, by reason: unknown, token, rate, invalid.",
		}, []string{"reason"}),
		saveFailures: f.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_heartbeat_save_failures_total",
			Help: "Writes of the heartbeats' file that failed.",
		}),
		pings: f.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_heartbeat_out_pings_total",
			Help: "Calls to dead man's switches by outcome: sent, failed, or withheld because alerts do not arrive.",
		}, []string{"name", "outcome"}),
		lastPing: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hedgewatch_heartbeat_out_last_success_timestamp_seconds",
			Help: "When a dead man's switch last took our heartbeat.",
		}, []string{"name"}),
	}
	for _, reason := range []string{"unknown", "token", "rate", "invalid"} {
		m.refused.WithLabelValues(reason)
	}
	return m
}

// collector exports the heartbeats as they are when asked.
type collector struct{ heartbeats *Heartbeats }

var (
	lastDesc = prometheus.NewDesc("hedgewatch_heartbeat_last_timestamp_seconds",
		"When a heartbeat last came in; absent until the first one.", []string{"heartbeat"}, nil)
	alertingDesc = prometheus.NewDesc("hedgewatch_heartbeat_alerting",
		"1 while a heartbeat is late or failed.", []string{"heartbeat"}, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) { ch <- lastDesc; ch <- alertingDesc }

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.heartbeats.Statuses() {
		if !s.Last.IsZero() {
			ch <- prometheus.MustNewConstMetric(lastDesc, prometheus.GaugeValue, seconds(s.Last), s.Name)
		}
		alerting := 0.0
		if s.State == StateLate || s.State == StateFailed {
			alerting = 1
		}
		ch <- prometheus.MustNewConstMetric(alertingDesc, prometheus.GaugeValue, alerting, s.Name)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
