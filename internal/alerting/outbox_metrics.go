package alerting

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type outboxMetrics struct {
	deliveries *prometheus.CounterVec
	refused    prometheus.Counter
	latency    *prometheus.HistogramVec
}

func newOutboxMetrics(r prometheus.Registerer) outboxMetrics {
	f := promauto.With(r)
	return outboxMetrics{
		deliveries: f.NewCounterVec(prometheus.CounterOpts{
			Name: "hedgewatch_deliveries_total",
			Help: "Attempts to deliver messages by outcome, and messages that ended without one: expired, dropped.",
		}, []string{"receiver", "integration", "outcome"}),
		refused: f.NewCounter(prometheus.CounterOpts{
			Name: "hedgewatch_outbox_refused_total",
			Help: "Notifications that found the outbox of their destination full. They are offered again.",
		}),
		latency: newLatency(r),
	}
}

// init makes the series of a destination, so that their increase is seen.
func (m outboxMetrics) init(d destinationKey) {
	for _, o := range outcomes() {
		m.deliveries.WithLabelValues(d.Receiver, d.Integration, string(o))
	}
}

// outboxCollector exports what waits, from what waits.
type outboxCollector struct {
	outbox                *outbox
	oldest, waiting, dead *prometheus.Desc
}

func newOutboxCollector(o *outbox) outboxCollector {
	labels := []string{"receiver", "integration"}
	return outboxCollector{
		outbox: o,
		oldest: prometheus.NewDesc("hedgewatch_outbox_oldest_seconds",
			"How long the oldest message that a destination has not taken has waited; 0 if none waits.", labels, nil),
		waiting: prometheus.NewDesc("hedgewatch_outbox_waiting",
			"Groups with a message that a destination has not taken.", labels, nil),
		dead: prometheus.NewDesc("hedgewatch_outbox_dead",
			"Destinations that take nothing until somebody mends them.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (c outboxCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.oldest
	ch <- c.waiting
	ch <- c.dead
}

// Collect implements prometheus.Collector. Integrations of one kind in one
// receiver are one series.
func (c outboxCollector) Collect(ch chan<- prometheus.Metric) {
	type values struct {
		oldest        time.Duration
		waiting, dead int
	}
	now := time.Now()
	sum := make(map[destinationKey]values)
	for _, d := range c.outbox.shown() {
		s := d.status(now)
		key := destinationKey{Receiver: s.Receiver, Integration: s.Integration}
		v := sum[key]
		v.waiting += s.Waiting
		if s.Oldest != nil {
			v.oldest = max(v.oldest, now.Sub(*s.Oldest))
		}
		if s.State == destinationDead {
			v.dead++
		}
		sum[key] = v
	}
	for key, v := range sum {
		gauge := func(d *prometheus.Desc, value float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, key.Receiver, key.Integration)
		}
		gauge(c.oldest, v.oldest.Seconds())
		gauge(c.waiting, float64(v.waiting))
		gauge(c.dead, float64(v.dead))
	}
}
