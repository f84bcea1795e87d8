package state

import (
	"errors"
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// Kinds of queued entries, as the metrics name them.
const (
	kindTransition = "transition"
	kindChange     = "change"
	kindTouch      = "last_used"
)

type metrics struct {
	dropped    *prometheus.CounterVec
	collectors []prometheus.Collector
}

func newMetrics(s *State) *metrics {
	m := &metrics{dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hedgewatch_state_dropped_entries_total",
		Help: "Entries that were not written because the queue was full or the process stopped, by kind.",
	}, []string{"kind"})}
	for _, kind := range []string{kindTransition, kindChange, kindTouch} {
		m.dropped.WithLabelValues(kind) // Born at zero, so that rate() sees the first one.
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.collectors = []prometheus.Collector{
		m.dropped,
		gauge("hedgewatch_state_queued_entries", "Entries that wait for the writer.",
			func() float64 { return float64(len(s.queue.entries)) }),
		gauge("hedgewatch_state_queue_limit", "Most entries that may wait for the writer.",
			func() float64 { return maxQueued }),
		gauge("hedgewatch_state_size_bytes", "Size of the state database and its log.", s.size),
		gauge("hedgewatch_state_set_aside", "Whether the state database was corrupt at the start and set aside.", func() float64 {
			if s.setAside == "" {
				return 0
			}
			return 1
		}),
	}
	return m
}

func (m *metrics) register(reg prometheus.Registerer) error {
	var errs []error
	for _, c := range m.collectors {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}

func (s *State) size() float64 {
	var sum int64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path + suffix); err == nil { // No log is no bytes.
			sum += info.Size()
		}
	}
	return float64(sum)
}
