package store

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"
)

type metrics struct {
	diskFull, notReady, otherFailure prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, d *disk, q *quarantine) *metrics {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hedgewatch_store_append_failures_total",
		Help: "Batches of samples that the storage did not take, by reason.",
	}, []string{"reason"})
	reg.MustRegister(failures, &quarantineCollector{q},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hedgewatch_store_free_bytes",
			Help: "Space that can still be written on the disk of the data directory; NaN if unknown.",
		}, func() float64 {
			if free, known := freeBytes(d.dir); known {
				return float64(free)
			}
			return math.NaN()
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hedgewatch_store_disk_full",
			Help: "1 while samples are refused because the disk is full.",
		}, func() float64 {
			if d.full.Load() {
				return 1
			}
			return 0
		}),
	)
	return &metrics{
		diskFull:     failures.WithLabelValues("disk_full"),
		notReady:     failures.WithLabelValues("not_ready"),
		otherFailure: failures.WithLabelValues("other"),
	}
}

// observe adds the gauges that Prometheus defines around its TSDB, not in it.
func (*metrics) observe(reg prometheus.Registerer, db *tsdb.DB) {
	gauge := func(name, help string, ms func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(ms() / 1000) })
	}
	reg.MustRegister(
		gauge("prometheus_tsdb_lowest_timestamp_seconds", "Lowest timestamp value stored in the database.", func() int64 {
			if blocks := db.Blocks(); len(blocks) > 0 {
				return blocks[0].Meta().MinTime
			}
			return db.Head().MinTime()
		}),
		gauge("prometheus_tsdb_head_min_time_seconds", "Minimum time bound of the head block.", db.Head().MinTime),
		gauge("prometheus_tsdb_head_max_time_seconds", "Maximum timestamp of the head block.", db.Head().MaxTime),
	)
}

// quarantineCollector counts what lies in quarantine at the time of a scrape,
// so that removing a file by hand is seen.
type quarantineCollector struct{ q *quarantine }

var quarantinedDesc = prometheus.NewDesc("hedgewatch_store_quarantined_files",
	"Damaged parts of the storage that were set aside and wait for somebody to look at them.",
	[]string{"kind"}, nil)

func (*quarantineCollector) Describe(ch chan<- *prometheus.Desc) { ch <- quarantinedDesc }

func (c *quarantineCollector) Collect(ch chan<- prometheus.Metric) {
	counts := map[string]int{}
	for _, f := range c.q.list() {
		counts[f.Kind]++
	}
	for _, kind := range kinds {
		ch <- prometheus.MustNewConstMetric(quarantinedDesc, prometheus.GaugeValue, float64(counts[kind]), kind)
	}
}
