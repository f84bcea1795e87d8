// Package scraper turns targets into samples: it embeds Prometheus' service
// discovery and scrape manager, and adds what a monitored process of our own
// needs.
//
// Collectors inside this process are targets like any other (type [Local]):
// they are scraped over a private socket, so `up`, relabelling, staleness and
// scrape durations come from the one path that all samples take. After a start
// every target is scraped at once instead of waiting for its slot in the
// interval; see warmup.go.
//
// It does not store samples (package store) and knows no collector. Start with
// [New].
package scraper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/client_golang/prometheus"
	configutil "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/logging"
)

// Config is what the scraper needs of the configuration file.
type Config struct {
	// Prometheus is the loaded file. It is not changed.
	Prometheus *promconfig.Config
	// Locals are the jobs inside this process. A job of the file with the same
	// name replaces the local one.
	Locals []Local
}

// Deps are the parts a Scraper works with.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// SDMetrics is shared by all discovery managers of the process.
	SDMetrics *discovery.SDMetrics
	// Appendable receives the samples.
	Appendable storage.AppendableV2
	// Features records which of the embedded library's features are on.
	Features features.Collector
	// TypeAndUnitLabels adds __type__ and __unit__ to scraped series.
	TypeAndUnitLabels bool
}

// Scraper scrapes the configured targets.
type Scraper struct {
	manager   *scrape.Manager
	logger    *slog.Logger
	deps      Deps
	options   *scrape.Options
	local     *localServer
	discovery *discovery.Manager
	cancelSD  context.CancelFunc
	// firstSet carries the first discovered targets from forwardTargets to
	// warmUp; warmedUp is closed when these have been scraped.
	firstSet chan map[string][]*targetgroup.Group
	warmedUp chan struct{}

	running atomic.Bool

	// mu serialises configuration changes.
	mu      sync.Mutex
	current *promconfig.Config
	warming bool
}

// New builds a Scraper for cfg. Nothing is scraped before Run.
func New(cfg Config, d Deps) (*Scraper, error) {
	local, err := newLocalServer(d.Logger)
	if err != nil {
		return nil, err
	}
	s := &Scraper{
		logger: d.Logger,
		deps:   d,
		options: &scrape.Options{
			DiscoveryReloadInterval:  discoveryReloadInterval,
			DiscoveryReloadOnStartup: true,
			FeatureRegistry:          d.Features,
			EnableTypeAndUnitLabels:  d.TypeAndUnitLabels,
			InitialScrapeOffset:      scrapeAtOnce,
			HTTPClientOptions:        shortLived(),
		},
		local:    local,
		firstSet: make(chan map[string][]*targetgroup.Group, 1),
		warmedUp: make(chan struct{}),
		warming:  true,
	}
	m, err := scrape.NewManager(s.options, withoutRepeats(d.Logger), logging.NewJSONFileLogger, nil, d.Appendable, d.Registerer)
	if err != nil {
		return nil, fmt.Errorf("build scrape manager: %w", err)
	}
	s.manager = m

	ctx, cancel := context.WithCancel(context.Background())
	s.discovery = discovery.NewManager(ctx, d.Logger, d.Registerer, d.SDMetrics, discovery.Name("scrape"), discovery.FeatureRegistry(d.Features))
	if s.discovery == nil {
		cancel()
		return nil, errors.New("build discovery manager: its metrics are registered already")
	}
	s.cancelSD = cancel

	commit, err := s.Prepare(cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	commit()
	return s, nil
}

// discoveryReloadInterval bounds how soon changed targets are scraped.
// Prometheus takes 5 s.
const discoveryReloadInterval = model.Duration(time.Second)

// Get returns the embedded scrape manager: the Prometheus API asks it about
// targets, and remote write about their metadata. The error is always nil.
func (s *Scraper) Get() (*scrape.Manager, error) { return s.manager, nil }

// WarmedUp is closed once every target known at the start was scraped, or the
// time for it is over.
func (s *Scraper) WarmedUp() <-chan struct{} { return s.warmedUp }

// Run discovers and scrapes until ctx ends, then waits for the scrapes in
// flight.
func (s *Scraper) Run(ctx context.Context) error {
	if err := s.local.listen(); err != nil {
		s.cancelSD()
		return err
	}
	s.start()

	var running sync.WaitGroup
	running.Go(s.local.serve)
	running.Go(func() {
		// It ends with its own context and returns that context's error.
		_ = s.discovery.Run()
	})
	gate := make(chan map[string][]*targetgroup.Group)
	running.Go(func() { s.forwardTargets(ctx, gate) })
	running.Go(func() {
		// It returns nil when stopped, and has no other result.
		_ = s.manager.Run(gate)
	})
	running.Go(func() { s.warmUp(ctx) })

	<-ctx.Done()
	s.cancelSD()
	s.stop()
	s.local.close()
	running.Wait()
	return nil
}

// start applies the configuration that New, or a reload before Run, has left.
func (s *Scraper) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running.Store(true)
	s.apply()
}

// stop ends all scrapes. A configuration that is committed later stays without
// effect.
func (s *Scraper) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running.Store(false)
	s.manager.Stop()
}

// Prepare checks everything that can fail in cfg and returns the function that
// makes it current.
func (s *Scraper) Prepare(cfg Config) (commit func(), err error) {
	jobs, err := cfg.Prometheus.GetScrapeConfigs()
	if err != nil {
		return nil, err
	}
	locals := s.withoutReplaced(cfg.Locals, jobs)
	for _, l := range locals {
		job, err := l.scrapeConfig(s.local.socket, cfg.Prometheus.GlobalConfig)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	if err := checkJobs(jobs); err != nil {
		return nil, err
	}
	prom := *cfg.Prometheus
	// The files were read above; reading them again later could fail.
	prom.ScrapeConfigs, prom.ScrapeConfigFiles = bounded(jobs), nil
	return func() {
		if s.running.Load() {
			// See warmup.go: what is changing must not change twice.
			<-s.warmedUp
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.local.setJobs(locals)
		s.current = &prom
		if s.running.Load() {
			s.apply()
		}
	}, nil
}

// maxBody is the largest answer of a target that sets no body_size_limit. In
// Prometheus that means no limit, and one broken target can take the memory of
// all: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
const maxBody = 64 * units.MiB

// bounded returns jobs with a body_size_limit each.
func bounded(jobs []*promconfig.ScrapeConfig) []*promconfig.ScrapeConfig {
	jobs = slices.Clone(jobs)
	for i, job := range jobs {
		if job.BodySizeLimit == 0 {
			j := *job
			j.BodySizeLimit = maxBody
			jobs[i] = &j
		}
	}
	return jobs
}

// withoutReplaced returns the locals whose name none of the file's jobs has.
func (s *Scraper) withoutReplaced(locals []Local, jobs []*promconfig.ScrapeConfig) []Local {
	return slices.DeleteFunc(slices.Clone(locals), func(l Local) bool {
		replaced := slices.ContainsFunc(jobs, func(j *promconfig.ScrapeConfig) bool { return j.JobName == l.Job })
		if replaced {
			s.logger.Info("Job of the configuration file replaces the built-in one", "job", l.Job)
		}
		return replaced
	})
}

// checkJobs does what the scrape manager would do on applying the jobs, as far
// as that can fail: certificates, keys and log files must be readable.
func checkJobs(jobs []*promconfig.ScrapeConfig) error {
	var errs []error
	for _, j := range jobs {
		if _, err := configutil.NewClientFromConfig(j.HTTPClientConfig, j.JobName); err != nil {
			errs = append(errs, fmt.Errorf("scrape job %q: %w", j.JobName, err))
		}
		if j.ScrapeFailureLogFile == "" {
			continue
		}
		l, err := logging.NewJSONFileLogger(j.ScrapeFailureLogFile)
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("scrape job %q: scrape_failure_log_file: %w", j.JobName, err))
		}
	}
	return errors.Join(errs...)
}

// apply makes s.current live. Its errors were looked for in Prepare, so one
// that appears now is a change in the outside world since: it is logged, and
// the jobs that could be applied run.
//
// The caller holds s.mu.
func (s *Scraper) apply() {
	prom := s.current
	if s.warming {
		prom = hurried(prom)
	}
	if err := s.manager.ApplyConfig(prom); err != nil {
		s.logger.Error("Scrape configuration applied in part", "err", err)
	}
	sds := make(map[string]discovery.Configs, len(prom.ScrapeConfigs))
	for _, j := range prom.ScrapeConfigs {
		sds[j.JobName] = j.ServiceDiscoveryConfigs
	}
	if err := s.discovery.ApplyConfig(sds); err != nil {
		s.logger.Error("Service discovery applied in part", "err", err)
	}
}
