// Package host collects the metrics of the machine: node_exporter's collectors,
// run in this process.
//
// It is not for what belongs to single processes (package process) or services.
// Start with Collector, a prometheus.Gatherer that is scraped like any target.
//
// Unlike node_exporter, a collector that hangs, say on a dead NFS mount, holds
// up nobody: the others are exported, and it is reported as failed.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/node_exporter/collector"
)

// ErrNeedsRestart says that a changed configuration cannot be reloaded.
var ErrNeedsRestart = errors.New("needs a restart")

// maxPatience bounds how long a gather waits for a slow collector.
const maxPatience = 5 * time.Second

// Collector gathers the node_* series. It is safe for concurrent use.
type Collector struct {
	registry *prometheus.Registry
	runners  []*runner
	// turn is held by the one gather that runs.
	turn chan struct{}
	// patience is how long a gather waits for a collector. Half a scrape
	// interval leaves the scrape enough time to hand over the others' series.
	patience time.Duration

	durationDesc, successDesc *prometheus.Desc
}

// New configures node_exporter's collectors. That can be done once per process:
// with the same paths and collectors New works again, with others it returns
// ErrNeedsRestart and changes nothing.
func New(c Config, logger *slog.Logger) (_ *Collector, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := checkProcFS(c.Path.ProcFS); err != nil {
		return nil, err
	}
	if err := parseOnce(c.arguments()); err != nil {
		return nil, err
	}
	// Some constructors panic on values that Validate does not know to be bad.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("host.collectors.flags: %v", r)
		}
	}()
	var starting atomic.Bool
	starting.Store(true)
	defer starting.Store(false)
	node, err := collector.NewNodeCollector(slog.New(startLog{logger.Handler(), &starting}))
	if err != nil {
		return nil, fmt.Errorf("host.collectors: %w", err)
	}
	return newCollector(node.Collectors, time.Duration(c.ScrapeInterval)/2, logger), nil
}

func newCollector(collectors map[string]collector.Collector, patience time.Duration, logger *slog.Logger) *Collector {
	c := &Collector{
		registry: prometheus.NewRegistry(),
		turn:     make(chan struct{}, 1),
		patience: min(patience, maxPatience),
		durationDesc: prometheus.NewDesc("node_scrape_collector_duration_seconds",
			"Duration of a collector's run; of one that hangs, so far.", []string{"collector"}, nil),
		successDesc: prometheus.NewDesc("node_scrape_collector_success",
			"Whether a collector succeeded; 0 also where it found nothing to collect.", []string{"collector"}, nil),
	}
	for _, name := range sortedKeys(collectors) {
		c.runners = append(c.runners, &runner{name: name, collector: collectors[name], logger: logger.With("collector", name)})
	}
	c.registry.MustRegister(unchecked{c})
	return c
}

// checkProcFS finds a wrong mount at the start instead of in each collector.
func checkProcFS(path string) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(path, "stat")); err != nil {
		return fmt.Errorf("host.path.procfs: %w; mount the host's /proc there, or leave the key out", err)
	}
	return nil
}

// Gather implements prometheus.Gatherer. It takes as long as the slowest
// collector, but never longer than half a scrape interval. Gathers take turns.
func (c *Collector) Gather() ([]*dto.MetricFamily, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.registry.Gather()
}

func (c *Collector) collect(ch chan<- prometheus.Metric) {
	pending := make([]<-chan result, len(c.runners))
	for i, r := range c.runners {
		pending[i] = r.start()
	}
	deadline, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	for i, r := range c.runners {
		var res result
		select {
		case res = <-pending[i]:
		case <-deadline.Done():
			res = r.poll(pending[i])
		}
		r.report(res)
		for _, m := range res.metrics {
			ch <- m
		}
		success := 0.0
		if res.err == nil {
			success = 1
		}
		ch <- prometheus.MustNewConstMetric(c.durationDesc, prometheus.GaugeValue, res.took.Seconds(), r.name)
		ch <- prometheus.MustNewConstMetric(c.successDesc, prometheus.GaugeValue, success, r.name)
	}
}

// unchecked is the Collector to its registry. It describes nothing, because
// node_exporter's collectors make up their metrics while they run.
type unchecked struct{ c *Collector }

func (u unchecked) Describe(chan<- *prometheus.Desc)    {}
func (u unchecked) Collect(ch chan<- prometheus.Metric) { u.c.collect(ch) }
