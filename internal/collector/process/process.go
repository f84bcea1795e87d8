// Package process measures configured groups of processes: CPU, memory, files,
// I/O and restarts, under the names of process-exporter.
//
// It is not for the machine as a whole (package host), nor for the reasons of a
// restart, which only those who restart know: Kubernetes, systemd, Docker.
// Start with Collector, a prometheus.Collector.
//
// Counters are sums of what each process has used while it was in the group,
// and stay when it ends. A restart is a main process, one whose parent is not
// in the group, that joins after another main process has gone. For example
//
//	scan 1  1000 beam.smp (parent 1)    first sight        restarts 0
//	scan 2  -                           one main is gone   restarts 0
//	scan 3  1300 beam.smp (parent 1)    replaces it        restarts 1
//	scan 4  1300, 1400 (parent 1300)    a child, no main   restarts 1
//
// Restarts quicker than the scrape interval count as one.
package process

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

// maxPatience bounds how long a scrape waits for a scan. It waits a quarter of
// the scrape interval: the host's collectors may take half of it.
const maxPatience = 2500 * time.Millisecond

// Collector exports the groups. It is safe for concurrent use.
type Collector struct {
	logger   *slog.Logger
	procFS   string
	bootTime float64 // Unix seconds
	descs    descs

	// next holds what Prepare committed, until the next scan takes it.
	next     atomic.Pointer[[]matcher]
	patience atomic.Int64 // time.Duration
	// failures counts scrapes without a scan.
	failures atomic.Uint64
	// turn is held by the one scan that runs; it owns scanner.
	turn    chan struct{}
	scanner *scanner
}

// New returns a collector of c's groups. It fails where c.ProcFS is not a
// mounted proc.
func New(c Config, logger *slog.Logger) (*Collector, error) {
	fs, err := procfs.NewFS(c.ProcFS)
	if err != nil {
		return nil, fmt.Errorf("host.path.procfs: %w; mount the host's /proc there, or leave the key out", err)
	}
	// Read once: the kernel's idea of the boot time moves with the clock, and
	// the start time of a process should not.
	stat, err := fs.Stat()
	if err != nil {
		return nil, fmt.Errorf("host.path.procfs: %w; mount the host's /proc there, or leave the key out", err)
	}
	collector := &Collector{
		logger:   logger,
		procFS:   c.ProcFS,
		bootTime: float64(stat.BootTime),
		descs:    newDescs(),
		turn:     make(chan struct{}, 1),
		scanner: &scanner{
			logger:  logger,
			fs:      fs,
			files:   reader{root: c.ProcFS},
			noticed: make(map[string]bool),
		},
	}
	commit, err := collector.Prepare(c)
	if err != nil {
		return nil, err
	}
	commit()
	return collector, nil
}

// Prepare checks a new configuration and returns what makes it current. Groups
// that stay the same keep their counters.
func (c *Collector) Prepare(config Config) (commit func(), err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.ProcFS != c.procFS {
		return nil, errors.New("host.path.procfs: changed since the start: needs a restart")
	}
	matchers, err := compile(config.Groups)
	if err != nil {
		return nil, err
	}
	return func() {
		c.patience.Store(int64(min(time.Duration(config.ScrapeInterval)/4, maxPatience)))
		c.next.Store(&matchers)
	}, nil
}

// Collect implements prometheus.Collector. It waits for a scan, but not for
// ever: some files of a process in trouble cannot be read until the trouble is
// over. Until then the groups are unknown, and only the error is exported.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	defer c.collectErrors(ch)
	select {
	case c.turn <- struct{}{}:
	default:
		c.failures.Add(1)
		return // the scan of an earlier scrape still runs
	}
	done := make(chan []prometheus.Metric, 1)
	go func() {
		metrics := c.scan()
		<-c.turn // first, so that who gets the metrics may scan again
		done <- metrics
	}()
	patience := time.NewTimer(time.Duration(c.patience.Load()))
	defer patience.Stop()
	select {
	case metrics := <-done:
		for _, m := range metrics {
			ch <- m
		}
	case <-patience.C:
		c.failures.Add(1)
		c.logger.Warn("Process scan hangs; groups are unknown until it ends", "pid", c.scanner.pid.Load())
	}
}

func (c *Collector) scan() []prometheus.Metric {
	if matchers := c.next.Swap(nil); matchers != nil {
		c.scanner.regroup(*matchers)
	}
	if err := c.scanner.scan(); err != nil {
		c.failures.Add(1)
		return nil
	}
	var metrics []prometheus.Metric
	for _, g := range c.scanner.groups {
		metrics = c.descs.appendGroup(metrics, g, c.scanner.hidden, c.bootTime)
	}
	return metrics
}
